import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OrganizationId } from '@careledger/primitives';
import type Provider from 'oidc-provider';
import type { Caller } from '../caller.ts';
import { INTERACTION_PATH } from './addresses.ts';
import { appScopes, needsPatient, userScopes } from './app-scopes.ts';
import type { ClientRegistry, RegisteredClient } from './clients.ts';
import { GRANT_SECONDS, PATIENTS_SHOWN_MAX } from './limits.ts';
import { consentPage, errorPage, type PatientEntry, patientPage, signInPage } from './pages/pages.ts';
import { sendPage } from './pages/send-page.ts';
import { readBody } from './read-body.ts';
import type { AuthorizationStore, LaunchContext } from './store/authorization-store.ts';
import { isBoundToPatient, resourceScopes, userCaller } from './user-caller.ts';
import { signIn } from './users/sign-in.ts';
import type { RegisteredUser, UserRegistry } from './users/users.ts';

/** What a search for a patient goes by. */
export interface PatientTerms {
  readonly family?: string;
  readonly given?: string;
  readonly birthDate?: string;
}

/** The patients of this organization as far as a caller may see them. */
export interface PatientDirectory {
  readonly search: (
    caller: Caller,
    terms: PatientTerms,
    countMax: number,
  ) => Promise<readonly PatientEntry[]>;
  readonly read: (caller: Caller, id: string) => Promise<PatientEntry | undefined>;
}

export interface InteractionOptions {
  readonly provider: Provider;
  readonly organization: OrganizationId;
  readonly origin: string;
  readonly audience: string;
  readonly clients: ClientRegistry;
  readonly users: UserRegistry;
  readonly store: AuthorizationStore;
  readonly patients: PatientDirectory;
  /** Behind the tokens in the forms. */
  readonly secret: string;
}

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

/** One request for a page, and all that is known about it. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly interaction: Interaction;
  readonly client: RegisteredClient;
}

/** A visit of somebody who has signed in. */
interface SignedVisit extends Visit {
  readonly user: RegisteredUser;
  /** What the app is registered for and the user can pass on. */
  readonly scopes: readonly string[];
  readonly launch?: LaunchContext;
}

const REFUSED =
  'The user name or the password is wrong, or this name is locked for a while after too many attempts.';
const BUSY = 'Too many sign-ins are under way. Try again in a moment.';
const NOT_SEEN = 'This patient cannot be chosen.';

/** Is this path one of the pages'? */
export function isInteractionPath(path: string): boolean {
  return path.startsWith(`${INTERACTION_PATH}/`);
}

/** The pages on which a person signs in, chooses a patient and decides what an app gets. */
export class InteractionPages {
  readonly #options: InteractionOptions;

  constructor(options: InteractionOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const interaction = await this.#options.provider
      .interactionDetails(request, response)
      .catch(() => undefined);
    const isItsPage = request.url === `${INTERACTION_PATH}/${interaction?.uid}`;
    const client = interaction && (await this.#options.clients.find(String(interaction.params.client_id)));
    if (!interaction || !isItsPage || !client)
      return this.#fail(response, 'The request is too old, or not of this browser.');
    const visit = { request, response, interaction, client };
    if (request.method === 'GET') return this.#show(visit);
    if (request.method !== 'POST')
      return this.#fail(response, 'This page is read or sent, and nothing else.');
    const form = await this.#formOf(visit);
    if (!form) return this.#fail(response, 'The form did not come from this page.');
    return this.#act(visit, form);
  }

  #fail(response: ServerResponse, description: string): void {
    const html = errorPage({ error: 'invalid_request', error_description: description });
    sendPage(response, { status: 400, html });
  }

  #token(interaction: Interaction): string {
    return createHmac('sha256', this.#options.secret).update(interaction.uid).digest('base64url');
  }

  /** The form, when it was sent from this very page: by its token, its cookie and the browser's word. */
  async #formOf({ request, interaction }: Visit): Promise<URLSearchParams | undefined> {
    const body = await readBody(request);
    if (body === undefined || request.headers.origin !== this.#options.origin) return undefined;
    const form = new URLSearchParams(body);
    const sent = Buffer.from(form.get('token') ?? '');
    const token = Buffer.from(this.#token(interaction));
    return sent.length === token.length && timingSafeEqual(sent, token) ? form : undefined;
  }

  #page({ interaction, client }: Visit, message?: string) {
    const app = client.app?.title ?? client.clientId;
    return { app, token: this.#token(interaction), ...(message === undefined ? {} : { message }) };
  }

  #send(visit: Visit, html: Parameters<typeof sendPage>[1]['html'], status = 200): void {
    const formOrigin = URL.parse(String(visit.interaction.params.redirect_uri))?.origin;
    sendPage(visit.response, { status, html, ...(formOrigin === undefined ? {} : { formOrigin }) });
  }

  #showSignIn(visit: Visit, message?: string): void {
    const { organization } = this.#options;
    this.#send(visit, signInPage({ ...this.#page(visit, message), organization }), message ? 401 : 200);
  }

  async #show(visit: Visit): Promise<void> {
    if (visit.interaction.prompt.name === 'login') return this.#showSignIn(visit);
    const signed = await this.#signed(visit);
    if (!signed) return this.#showSignIn(visit);
    return this.#showDecision(signed);
  }

  async #signed(visit: Visit): Promise<SignedVisit | undefined> {
    const { params, session } = visit.interaction;
    const user = await this.#options.users.findBySubject(session?.accountId ?? '');
    if (!user) return undefined;
    const scopes = userScopes(appScopes(visit.client, String(params.scope)), user.roles);
    if (typeof params.launch !== 'string') return { ...visit, user, scopes };
    const launch = await this.#options.store.findLaunch(params.launch);
    return launch && (launch.subject ?? user.subject) === user.subject
      ? { ...visit, user, scopes, launch }
      : undefined;
  }

  /** The patient that is settled before anybody chooses: the EHR's, or the patient who signed in. */
  #settledPatient({ user, launch }: SignedVisit): string | undefined {
    return launch?.patient ?? user.patient;
  }

  async #showDecision(visit: SignedVisit): Promise<void> {
    const settled = this.#settledPatient(visit);
    if (settled === undefined && needsPatient(visit.scopes)) {
      return this.#send(visit, patientPage(this.#page(visit)));
    }
    return this.#showConsent(visit, settled);
  }

  async #showConsent(visit: SignedVisit, patientId: string | undefined): Promise<void> {
    const patient = patientId === undefined ? undefined : await this.#seen(visit, patientId);
    if (patientId !== undefined && !patient) return this.#fail(visit.response, NOT_SEEN);
    const { user, scopes } = visit;
    const page = { ...this.#page(visit), user: user.name, scopes, ...(patient ? { patient } : {}) };
    this.#send(visit, consentPage(page));
  }

  /** Who the user is to the picker: their roles with everything, whatever the app asked for. */
  #callerOf({ user }: SignedVisit): Caller | undefined {
    const { organization } = this.#options;
    const scope = user.roles.includes('patient') ? 'patient/*.rs' : 'user/*.rs';
    return userCaller({ user, organization, scope, clientScopes: [scope] });
  }

  /** The patient, if this user may see one of this id; a patient sees themselves. */
  async #seen(visit: SignedVisit, id: string): Promise<PatientEntry | undefined> {
    const caller = this.#callerOf(visit);
    return caller && this.#options.patients.read(caller, id);
  }

  async #act(visit: Visit, form: URLSearchParams): Promise<void> {
    const action = form.get('action');
    if (action === 'cancel') return this.#finish(visit, { error: 'access_denied' });
    if (visit.interaction.prompt.name === 'login') return this.#signIn(visit, form);
    const signed = await this.#signed(visit);
    if (!signed) return this.#fail(visit.response, 'Somebody else has to sign in for this.');
    if (action === 'search-patient') return this.#searchPatient(signed, form);
    if (action === 'choose-patient') return this.#showConsent(signed, form.get('patient') ?? '');
    if (action === 'approve') return this.#approve(signed, form);
    return this.#fail(visit.response, 'The page does not know this button.');
  }

  #finish(
    { request, response }: Visit,
    result: Parameters<Provider['interactionFinished']>[2],
  ): Promise<void> {
    return this.#options.provider.interactionFinished(request, response, result, {
      mergeWithLastSubmission: !('error' in result),
    });
  }

  async #signIn(visit: Visit, form: URLSearchParams): Promise<void> {
    const outcome = await signIn(this.#options, {
      name: form.get('name') ?? '',
      password: form.get('password') ?? '',
      address: visit.request.socket.remoteAddress ?? '',
    });
    if (outcome.outcome !== 'signed-in') {
      return this.#showSignIn(visit, outcome.outcome === 'refused' ? REFUSED : BUSY);
    }
    const { subject } = outcome.user;
    await this.#endOtherSession(visit.interaction, subject);
    return this.#finish(visit, { login: { accountId: subject, remember: false } });
  }

  /** Who signs in where another was signed in ends that session. */
  async #endOtherSession(interaction: Interaction, subject: string): Promise<void> {
    const { session } = interaction;
    if (!session || session.accountId === undefined || session.accountId === subject) return;
    await (await this.#options.provider.Session.findByUid(session.uid))?.destroy();
    interaction.session = undefined;
    await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
  }

  async #searchPatient(visit: SignedVisit, form: URLSearchParams): Promise<void> {
    const terms = Object.fromEntries(
      ['family', 'given', 'birthDate']
        .map((name) => [name, form.get(name)?.trim()])
        .filter(([, text]) => text),
    ) as PatientTerms;
    const caller = this.#callerOf(visit);
    if (Object.keys(terms).length === 0 || !caller) {
      return this.#send(visit, patientPage(this.#page(visit, 'Give a name or a date of birth.')));
    }
    const found = await this.#options.patients.search(caller, terms, PATIENTS_SHOWN_MAX);
    const message = found.length === 0 ? 'No patient was found.' : undefined;
    this.#send(visit, patientPage({ ...this.#page(visit, message), found }));
  }

  async #approve(visit: SignedVisit, form: URLSearchParams): Promise<void> {
    const chosen = new Set(form.getAll('scope'));
    const scopes = visit.scopes.filter((scope) => chosen.has(scope));
    if (scopes.length === 0) return this.#finish(visit, { error: 'access_denied' });
    const patient =
      this.#settledPatient(visit) ?? (needsPatient(scopes) ? (form.get('patient') ?? '') : undefined);
    if (patient !== undefined && !(await this.#seen(visit, patient))) {
      return this.#fail(visit.response, NOT_SEEN);
    }
    const { params } = visit.interaction;
    if (visit.launch && !(await this.#options.store.consumeLaunch(String(params.launch)))) {
      return this.#fail(visit.response, 'The launch was used already.');
    }
    return this.#grant(visit, scopes, patient);
  }

  async #grant(visit: SignedVisit, scopes: readonly string[], patient: string | undefined): Promise<void> {
    const { provider, audience, store } = this.#options;
    const { interaction, client, user, launch } = visit;
    const grant = new provider.Grant({ accountId: user.subject, clientId: client.clientId });
    const resources = scopes.filter((scope) => scope.includes('.'));
    grant.addOIDCScope(scopes.filter((scope) => !scope.includes('.')).join(' '));
    grant.addResourceScope(audience, resources.join(' '));
    const grantId = await grant.save();
    const { encounter, needPatientBanner } = launch ?? {};
    const withEncounter = scopes.includes('launch') || scopes.includes('launch/encounter');
    const context = {
      ...(patient === undefined ? {} : { patient }),
      ...(encounter === undefined || !withEncounter ? {} : { encounter }),
      ...(needPatientBanner === undefined ? {} : { needPatientBanner }),
      ...(isBoundToPatient(resourceScopes(resources.join(' '))) ? { isBound: true } : {}),
    };
    await store.setGrantContext(grantId, context, GRANT_SECONDS);
    interaction.params.scope = scopes.join(' ');
    await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
    return this.#finish(visit, { consent: { grantId } });
  }
}
