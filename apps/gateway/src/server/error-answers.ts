import { AuthorizationError } from '../authorization/errors.ts';

/** What the caller is told. Never holds a value out of the request or the vault. */
export interface ErrorAnswer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly help: string;
  /** Sent as `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** Issues of an OperationOutcome, where the error brings its own. */
  readonly issues?: readonly object[];
}

/** A refusal with an HTTP status: thrown by a route, answered by the server. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: string;
  readonly status: number;
  readonly help: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(options: ErrorAnswer) {
    super(options.message);
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.code = options.code;
    this.status = options.status;
    this.help = options.help;
  }
}

const FHIR_TYPE = 'application/fhir+json; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

/** FHIR's issue type for an HTTP status (http://hl7.org/fhir/R4/valueset-issue-type.html). */
const ISSUE: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'login',
  403: 'forbidden',
  404: 'not-found',
  405: 'not-supported',
  406: 'not-supported',
  413: 'too-long',
  415: 'not-supported',
  422: 'processing',
  429: 'throttled',
  503: 'transient',
};

/** What Fastify itself refuses with, in our words. */
const FRAMEWORK: Readonly<Record<string, ErrorAnswer>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    status: 413,
    code: 'request/too-large',
    message: 'The request body is larger than this server accepts.',
    help: 'Send smaller bundles, or use the import for large loads.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    code: 'request/content-type',
    message: 'The content type of the body is not accepted here.',
    help: 'Send application/fhir+json, application/json-patch+json or, for a search, a form.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    code: 'request/content-length',
    message: 'The body does not have the announced length.',
    help: 'Send the whole body.',
  },
  FST_ERR_BAD_URL: {
    status: 400,
    code: 'request/url',
    message: 'The address is not a well-formed URL.',
    help: 'Percent-encode it as UTF-8.',
  },
  FST_ERR_MAX_PARAM_LENGTH: {
    status: 400,
    code: 'request/url',
    message: 'A part of the address is too long.',
    help: 'Put long values into the body: search by POST.',
  },
  FST_ERR_VALIDATION: {
    status: 400,
    code: 'request/parameters',
    message: 'A parameter of the address is not of its form, or beyond its limit.',
    help: 'See the documentation of this operation.',
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: {
    status: 400,
    code: 'request/body-missing',
    message: 'The request needs a body.',
    help: 'Send the resource in the body.',
  },
};

const UNEXPECTED: ErrorAnswer = {
  status: 500,
  code: 'server/fault',
  message: 'The server could not answer. The fault is in its log.',
  help: 'Tell the operator the time of the request.',
};

interface Described {
  readonly code?: unknown;
  readonly status?: unknown;
  readonly message?: unknown;
  readonly help?: unknown;
  readonly retryAfterSeconds?: unknown;
  readonly issues?: unknown;
}

/**
 * What the caller learns about an error: the text of our own error classes (which have `code`, `status` and `help`),
 * the framework's refusals in our words, and of everything else only that it happened.
 */
export function answerFor(error: unknown): ErrorAnswer {
  if (typeof error !== 'object' || error === null) return UNEXPECTED;
  const { code, status, message, help, retryAfterSeconds, issues }: Described = error;
  if (typeof code === 'string' && typeof status === 'number' && typeof help === 'string') {
    const retry = typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {};
    const listed = Array.isArray(issues) ? { issues } : {};
    return { status, code, message: String(message), help, ...retry, ...listed };
  }
  return (typeof code === 'string' ? FRAMEWORK[code] : undefined) ?? UNEXPECTED;
}

/** The body and headers of an error: an OperationOutcome under `/fhir`, `{code, message, help}` elsewhere. */
export function encodeError(
  answer: ErrorAnswer,
  path: string,
): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const challenge: Record<string, string> = {
    ...(answer.status === 401
      ? { 'www-authenticate': answer.code === 'token/missing' ? 'Bearer' : 'Bearer error="invalid_token"' }
      : {}),
    ...(answer.retryAfterSeconds === undefined ? {} : { 'retry-after': String(answer.retryAfterSeconds) }),
  };
  if (path === '/fhir' || path.startsWith('/fhir/')) {
    const outcome = {
      resourceType: 'OperationOutcome',
      issue: answer.issues ?? [
        {
          severity: answer.status === 500 ? 'fatal' : 'error',
          code: ISSUE[answer.status] ?? (answer.status >= 500 ? 'exception' : 'processing'),
          details: { coding: [{ code: answer.code }], text: answer.message },
          diagnostics: answer.help,
        },
      ],
    };
    return { headers: { ...challenge, 'content-type': FHIR_TYPE }, body: JSON.stringify(outcome) };
  }
  const { code, message, help } = answer;
  return {
    headers: { ...challenge, 'content-type': JSON_TYPE },
    body: JSON.stringify({ code, message, help }),
  };
}

export function certificateNotTrusted(): AuthorizationError {
  return new AuthorizationError({
    code: 'tls/certificate-not-trusted',
    status: 401,
    message: "The client certificate is not one of this consortium's, or has expired.",
    help: 'Connect with a certificate in force, or with none.',
  });
}
