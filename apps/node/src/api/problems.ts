import { messageOf, NodeError } from '../errors.ts';

/** What every error says. */
export interface ApiProblem {
  readonly code: string;
  readonly message: string;
  readonly help: string;
}

const statusOfCode: Readonly<Record<string, number>> = {
  'access/denied': 403,
  'transaction/signer-not-in-force': 403,
  'api/unknown-chain': 404,
  'api/not-found': 404,
  'api/media-type': 415,
  'api/too-many-requests': 429,
  'api/too-many-streams': 503,
  'events/other-chain': 409,
  'ledger/not-found': 404,
  'ledger/not-yet': 404,
  'ledger/pruned': 410,
  'ledger/not-certified': 503,
  'mempool/full': 503,
  'mempool/signer-share': 429,
  'mempool/too-many-waiting': 429,
  'node/stopping': 503,
  'api/not-final-yet': 202,
  'store/damaged': 500,
  'store/index-fault': 500,
};

/** The status and the words for whatever was thrown. Never repeats what was sent. */
export function problemOf(fault: unknown): { readonly status: number; readonly problem: ApiProblem } {
  if (fault instanceof NodeError) {
    const { code, message, help } = fault;
    return { status: statusOfCode[code] ?? 400, problem: { code, message, help } };
  }
  const status = (fault as { statusCode?: number }).statusCode ?? 500;
  if (status === 413) {
    return {
      status,
      problem: { code: 'api/too-large', message: 'the body is too large', help: 'Send less.' },
    };
  }
  if (status < 500) {
    const help = 'See /v1/openapi.json for the form of this request.';
    return { status, problem: { code: 'api/malformed', message: messageOf(fault), help } };
  }
  const message = 'the node could not answer';
  return { status: 500, problem: { code: 'api/internal', message, help: 'The log of the node says why.' } };
}
