/** What one node lets its callers do. A caller is a member's key, the operator, or an address without a token. */
export interface ApiLimits {
  /** Requests of one caller with a token in one window. */
  readonly requestsInWindow: number;
  /** Requests of one address without a token in one window. */
  readonly openRequestsInWindow: number;
  /** Submitted transactions of one caller in one window, with a token or without. */
  readonly submissionsInWindow: number;
  /** Open connections, all together and from one address. */
  readonly connections: number;
  readonly connectionsFromAddress: number;
}

/** The window of the limits above, in milliseconds. */
export const LIMIT_WINDOW_MS = 10_000;

export const DEFAULT_API_LIMITS: ApiLimits = {
  requestsInWindow: 20_000,
  openRequestsInWindow: 2_000,
  submissionsInWindow: 20_000,
  connections: 1_024,
  connectionsFromAddress: 256,
};

/** Callers that are counted at a time; the one that was quiet longest is forgotten first. */
export const CALLERS_COUNTED_MAX = 5_000;
