import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../../caller.ts';
import { peerCertificate } from '../../tls/peer-certificate.ts';
import { type Authenticate, requireAllowed } from '../authenticate.ts';
import { AuthorizationError } from '../errors.ts';
import type { PatientDirectory } from '../interactions.ts';
import { LAUNCH_SECONDS } from '../limits.ts';
import { readBody } from '../read-body.ts';
import { isRole, mayLaunch } from '../roles.ts';
import type { AuthorizationStore, LaunchContext } from '../store/authorization-store.ts';

const FHIR_ID = /^[A-Za-z0-9.-]{1,64}$/;
const SECRET_BYTES = 32;
const FIELDS: ReadonlySet<string> = new Set(['patient', 'encounter', 'need_patient_banner']);

export interface LaunchOptions {
  readonly authenticate: Authenticate;
  readonly store: AuthorizationStore;
  readonly patients: PatientDirectory;
  /** FHIR base URL: what the app is launched with as `iss`. */
  readonly audience: string;
}

/** What an EHR asks for: `{"patient": "<id>", "encounter": "<id>", "need_patient_banner": false}`. */
function readLaunch(text: string | undefined): Omit<LaunchContext, 'subject'> | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  if (typeof body !== 'object' || body === null || Object.keys(body).some((name) => !FIELDS.has(name))) {
    return undefined;
  }
  const { patient, encounter, need_patient_banner: banner } = body as Readonly<Record<string, unknown>>;
  if (typeof patient !== 'string' || !FHIR_ID.test(patient)) return undefined;
  if (encounter !== undefined && (typeof encounter !== 'string' || !FHIR_ID.test(encounter)))
    return undefined;
  if (banner !== undefined && typeof banner !== 'boolean') return undefined;
  return {
    patient,
    ...(typeof encounter === 'string' ? { encounter } : {}),
    ...(typeof banner === 'boolean' ? { needPatientBanner: banner } : {}),
  };
}

/** Staff whose work begins in a chart, and this organization's own systems. @throws {@link AuthorizationError} 403. */
function requireLauncher(caller: Caller): void {
  const isLauncher =
    caller.kind === 'system' ||
    (caller.kind === 'user' && (caller.roles === undefined || mayLaunch(caller.roles.filter(isRole))));
  if (!isLauncher) {
    throw new AuthorizationError({
      code: 'launch/not-allowed',
      status: 403,
      message: 'This caller does not start apps.',
      help: 'Ask with the token of a system, or of a user whose role starts apps.',
    });
  }
  requireAllowed(caller, 'Patient', 'read');
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

function sendRefusal(response: ServerResponse, error: unknown): void {
  if (!(error instanceof AuthorizationError)) throw error;
  const { status, code, message, help } = error;
  send(response, status, { code, message, help });
}

const INVALID = {
  code: 'launch/invalid',
  message:
    'The body does not say for which patient the app is started, or this caller may not see the patient.',
  help: 'Send {"patient": "<id>"}, and "encounter" and "need_patient_banner" where they apply.',
};

/** `POST /oauth/launch`: an EHR makes a launch value, which one app may use once, within five minutes. */
export function createLaunchEndpoint(options: LaunchOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const caller = await options.authenticate({
        authorization: request.headers.authorization,
        certificate: peerCertificate(request),
      });
      requireLauncher(caller);
      const asked = readLaunch(await readBody(request));
      // A patient who is not there and one who may not be seen are answered alike.
      if (!asked || !(await options.patients.read(caller, asked.patient)))
        return send(response, 422, INVALID);
      const launch = randomBytes(SECRET_BYTES).toString('base64url');
      const bound = caller.kind === 'user' ? { subject: caller.subject } : {};
      await options.store.addLaunch(launch, { ...asked, ...bound }, LAUNCH_SECONDS);
      send(response, 201, { launch, iss: options.audience, expires_in: LAUNCH_SECONDS });
    } catch (error) {
      sendRefusal(response, error);
    }
  };
}
