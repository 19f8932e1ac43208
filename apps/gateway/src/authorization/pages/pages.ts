import { STYLE_PATH } from '../addresses.ts';
import { Html, html } from './html.ts';
import { scopeWords } from './scope-words.ts';

/** A patient as the picker shows one. */
export interface PatientEntry {
  readonly id: string;
  readonly name: string;
  readonly birthDate: string;
}

interface FormPage {
  /** What the app calls itself. */
  readonly app: string;
  /** Stands in every form, and in no other site's. */
  readonly token: string;
  readonly message?: string;
}

function layout(title: string, body: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="${STYLE_PATH}">
</head>
<body><main>
<h1>${title}</h1>
${body}
</main></body>
</html>
`;
}

function alert(message: string | undefined): Html {
  return message === undefined ? html`` : html`<p role="alert">${message}</p>`;
}

function hidden(page: FormPage): Html {
  return html`<input type="hidden" name="token" value="${page.token}">`;
}

function cancel(page: FormPage): Html {
  return html`<form method="post">${hidden(page)}
<button name="action" value="cancel">Cancel and go back to the app</button></form>`;
}

/** Name and password. */
export function signInPage(page: FormPage & { readonly organization: string }): Html {
  return layout(
    'Sign in',
    html`<p>${page.app} asks for records at ${page.organization}. Sign in to decide.</p>
${alert(page.message)}
<form method="post">${hidden(page)}
<label for="name">User name</label>
<input type="text" id="name" name="name" autocomplete="username" autocapitalize="none" required autofocus>
<label for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required>
<button class="first" name="action" value="sign-in">Sign in</button>
</form>
${cancel(page)}`,
  );
}

function patientRow(entry: PatientEntry): Html {
  return html`<label><input type="radio" name="patient" value="${entry.id}" required>
${entry.name}, born ${entry.birthDate}</label>`;
}

/** Whose records the app is to work on. What is searched for travels in the body. */
export function patientPage(page: FormPage & { readonly found?: readonly PatientEntry[] }): Html {
  const found = page.found ?? [];
  const list =
    found.length === 0
      ? html``
      : html`<form method="post">${hidden(page)}
<fieldset><legend>Patients found</legend>${found.map(patientRow)}</fieldset>
<button class="first" name="action" value="choose-patient">Choose this patient</button>
</form>`;
  return layout(
    'Choose a patient',
    html`<p>${page.app} works on the records of one patient.</p>
${alert(page.message)}
${list}
<form method="post">${hidden(page)}
<label for="family">Family name</label>
<input type="text" id="family" name="family" autocomplete="off">
<label for="given">Given name</label>
<input type="text" id="given" name="given" autocomplete="off">
<label for="birthDate">Date of birth</label>
<input type="date" id="birthDate" name="birthDate" autocomplete="off">
<button name="action" value="search-patient">Search</button>
</form>
${cancel(page)}`,
  );
}

function scopeRow(scope: string): Html {
  const id = `scope-${scope.replace(/[^A-Za-z0-9]/g, '-')}`;
  return html`<label for="${id}"><input type="checkbox" id="${id}" name="scope" value="${scope}" checked>
${scopeWords(scope)}</label>`;
}

/** What the app will be able to do, each of it to be taken out. */
export function consentPage(
  page: FormPage & {
    readonly user: string;
    readonly scopes: readonly string[];
    readonly patient?: PatientEntry;
  },
): Html {
  const { patient } = page;
  const about = patient
    ? html`<p>Patient: <strong>${patient.name}, born ${patient.birthDate}</strong></p>`
    : html``;
  const chosen = patient ? html`<input type="hidden" name="patient" value="${patient.id}">` : html``;
  return layout(
    `Allow ${page.app}?`,
    html`<p class="quiet">You are signed in as ${page.user}.</p>
${about}
${alert(page.message)}
<form method="post">${hidden(page)}${chosen}
<fieldset><legend>${page.app} will be able to</legend>${page.scopes.map(scopeRow)}</fieldset>
<p class="quiet">Take out what it shall not do. You never give more than you may do yourself.</p>
<button class="first" name="action" value="approve">Allow</button>
<button name="action" value="cancel">Do not allow</button>
</form>`,
  );
}

/** What went wrong on the way, in the words of OAuth. */
export function errorPage(out: { readonly error?: unknown; readonly error_description?: unknown }): Html {
  const description =
    typeof out.error_description === 'string' ? out.error_description : 'The request failed.';
  return layout(
    'This did not work',
    html`<p role="alert">${description}</p>
<p>Go back to the app and start again.</p>
<p class="quiet">Code: ${typeof out.error === 'string' ? out.error : 'server_error'}</p>`,
  );
}

/** The library brings the form: its token stands in it. */
export function signOutPage(form: string): Html {
  return layout(
    'Sign out?',
    html`${new Html(form)}
<button class="first" type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>
<button type="submit" form="op.logoutForm">Stay signed in</button>`,
  );
}

export function signedOutPage(): Html {
  return layout('You are signed out', html`<p>Apps that were to end with your session have ended too.</p>`);
}
