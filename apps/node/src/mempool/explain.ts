import { NodeError } from '../errors.ts';

const helps: Readonly<Record<string, string>> = {
  'transaction/too-large': 'Keep the transaction within the limit that the genesis document names.',
  'transaction/foreign-chain': 'Sign the transaction for the chain id of this network.',
  'transaction/unknown-type': 'Use a type that a capability of this chain declares.',
  'transaction/version-not-in-force':
    'Use a version of this type that the consortium has adopted: see /v1/chains/{chain}/schemas.',
  'transaction/body': 'Send exactly the fields that the type declares.',
  'transaction/identifier':
    'Nothing that identifies a person may stand on the ledger. Use random ids and commitments.',
  'transaction/signature': 'Sign the COSE Sig_structure with the key that the envelope names.',
  'transaction/inner-signature': 'Sign the text that the message type declares, for this chain.',
  'transaction/expired': 'Sign it anew with a later expiry.',
  'transaction/expires-too-late': 'Let it expire at most ten minutes ahead.',
  'transaction/replayed': 'It stands in a block already: ask for the transaction by its id.',
  'transaction/signer-not-in-force': 'Use a key that an active organization has enrolled.',
  'mempool/signer-share': 'This key has its share of what waits. Try again in a second.',
  'mempool/too-many-waiting': 'Others wait for this transaction already: ask for it by its id.',
  'mempool/full': 'The node has more than it can order now. Try again in a second.',
};
const FORM_HELP = 'Send one COSE_Sign1 in its canonical form, as the SDK makes it.';
const RULE_HELP = 'The capability’s README says when this message is accepted.';

/** A refusal as an error of the edge: what happened, and what to do. Never holds content of the transaction. */
export function explain(code: string, detail?: string): NodeError {
  const message = detail === undefined ? `refused: ${code}` : `refused: ${code} (${detail})`;
  return new NodeError(
    code,
    message,
    helps[code] ?? (code.startsWith('transaction/') ? FORM_HELP : RULE_HELP),
  );
}
