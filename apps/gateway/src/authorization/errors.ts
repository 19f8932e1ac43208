/** Why a request is not let in. The status is HTTP's: 401 shows no valid token, 403 one that does not reach. */
export class AuthorizationError extends Error {
  override readonly name = 'AuthorizationError';
  readonly code: string;
  readonly status: 401 | 403;
  readonly help: string;

  constructor(options: {
    readonly code: string;
    readonly status: 401 | 403;
    readonly message: string;
    readonly help: string;
    readonly cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = options.code;
    this.status = options.status;
    this.help = options.help;
  }
}

/** A token request that another member's authorization server refused, or that could not be made. */
export class TokenRequestError extends Error {
  override readonly name = 'TokenRequestError';
  readonly code: string;
  readonly help: string;
  /** OAuth 2 error code of the answer (RFC 6749, section 5.2), where there was one. */
  readonly oauthError: string | undefined;

  constructor(options: {
    readonly code: string;
    readonly message: string;
    readonly help: string;
    readonly oauthError?: string;
    readonly cause?: unknown;
  }) {
    super(options.message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = options.code;
    this.help = options.help;
    this.oauthError = options.oauthError;
  }
}
