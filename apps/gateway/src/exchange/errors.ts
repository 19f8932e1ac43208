export type ExchangeErrorCode =
  | 'exchange/nothing'
  | 'exchange/not-allowed'
  | 'exchange/invalid'
  | 'exchange/consent-invalid'
  | 'exchange/introduction-invalid'
  | 'exchange/ledger-refused'
  | 'exchange/ledger-unavailable'
  | 'exchange/custodian-unavailable'
  | 'exchange/custodian-not-believed'
  | 'exchange/other-person'
  | 'exchange/not-located'
  | 'exchange/altered'
  | 'journal/altered'
  | 'journal/truncated'
  | 'journal/failed';

const KINDS: Readonly<Record<ExchangeErrorCode, { readonly status: number; readonly help: string }>> = {
  'exchange/nothing': {
    status: 404,
    help: 'Ask with a handle and a purpose that a patient has consented to.',
  },
  'exchange/not-allowed': { status: 403, help: 'Ask with a token of the kind that this operation is for.' },
  'exchange/invalid': { status: 400, help: 'See the operation’s description in the documentation.' },
  'exchange/consent-invalid': {
    status: 422,
    help: 'Correct the Consent; what cannot be evaluated is refused.',
  },
  'exchange/introduction-invalid': { status: 422, help: 'Ask the recipient’s desk for a new introduction.' },
  'exchange/ledger-refused': { status: 422, help: 'Make a new consent id, key and salt, and grant again.' },
  'exchange/ledger-unavailable': { status: 503, help: 'Try again when the consortium has a quorum.' },
  'exchange/custodian-unavailable': { status: 503, help: 'Try again later; nothing was filed.' },
  'exchange/custodian-not-believed': {
    status: 502,
    help: 'Nothing was filed. Report the verdicts to the custodian.',
  },
  'exchange/other-person': {
    status: 409,
    help: 'The introduction was used in another person’s account: revoke it.',
  },
  'exchange/not-located': { status: 404, help: 'Introduce the patient to the custodian first.' },
  'exchange/altered': { status: 500, help: 'Somebody changed the vault on disk. Restore it from a backup.' },
  'journal/altered': {
    status: 500,
    help: 'Somebody changed the journal on disk. Restore it from a backup and compare.',
  },
  'journal/truncated': { status: 500, help: 'The journal ends before what the ledger anchored. Restore it.' },
  'journal/failed': {
    status: 503,
    help: 'Check the disk under gateway/journal: nothing is released meanwhile.',
  },
};

/** Why an exchange did not happen. Never holds anything out of a record or a request. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  readonly code: ExchangeErrorCode;
  readonly status: number;
  readonly help: string;

  constructor(code: ExchangeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = KINDS[code].status;
    this.help = KINDS[code].help;
  }
}

/**
 * The one refusal of a custodian: for a handle that is unknown, a consent that is missing, revoked or over, a ledger
 * that is stale and a record that is not there.
 */
export function nothingToShow(): ExchangeError {
  return new ExchangeError('exchange/nothing', 'There is nothing to show.');
}
