import { consentKey, keyKey, retiredKey } from '@careledger/capabilities';
import type { FinalHead, LedgerPort, PageEvidence, ProvenValue, RecordEvidence } from '@careledger/custody';
import { decodeTransaction, type TransactionEvidence } from '@careledger/ledger';
import { type ConsentId, invariant, type PublicKey, toHex } from '@careledger/primitives';
import type { ReleasableRecord } from '../exchange-records.ts';

/** What is proven with a page: all of it under one head. */
export interface ReleaseEvidence {
  readonly page: PageEvidence;
  readonly records: readonly RecordEvidence[];
}

/** Proves values under this head. Runs in one turn of the event loop, so that no block comes between. */
function proverAt(ledger: LedgerPort, head: FinalHead): (key: Uint8Array) => ProvenValue {
  return (key) => {
    const { header, value, proof } = ledger.proveState(key, head.header.height);
    invariant(header.height === head.header.height, 'a proof stands under the head that it was asked for');
    return value === undefined ? { proof } : { value, proof };
  };
}

function anchorReader(ledger: LedgerPort): (record: ReleasableRecord) => TransactionEvidence {
  const known = new Map<string, TransactionEvidence>();
  return ({ anchor }) => {
    const name = `${anchor.height}/${anchor.index}`;
    const evidence = known.get(name) ?? ledger.proveTransaction(anchor);
    known.set(name, evidence);
    return evidence;
  };
}

function signerOf(evidence: TransactionEvidence): PublicKey {
  const decoded = decodeTransaction(evidence.transaction);
  invariant(decoded.ok, 'a transaction in a block is well-formed');
  return decoded.value.signer;
}

/** Gathers what a recipient needs to check a page alone: for each record, and once for the page. */
export function gatherEvidence(options: {
  readonly ledger: LedgerPort;
  readonly head: FinalHead;
  readonly records: readonly ReleasableRecord[];
  readonly consentId: ConsentId | undefined;
  /** The key that signs the disclosure leaf. */
  readonly leafSigner: Uint8Array;
}): ReleaseEvidence {
  const { ledger, head, consentId } = options;
  const prove = proverAt(ledger, head);
  const readAnchor = anchorReader(ledger);
  const signers = new Map([[toHex(options.leafSigner), options.leafSigner as PublicKey]]);
  const records = options.records.map((record): RecordEvidence => {
    const anchor = readAnchor(record);
    const signer = signerOf(anchor);
    signers.set(toHex(signer), signer);
    const { salt, leaf, leafProof, previous } = record;
    const retired = prove(retiredKey(leaf.retireKey));
    const before = previous && { leaf: previous, retired: prove(retiredKey(previous.retireKey)) };
    return { salt, leaf, leafProof, anchor, retired, ...(before ? { previous: before } : {}) };
  });
  const keys = [...signers.values()].map((publicKey) => ({ publicKey, proven: prove(keyKey(publicKey)) }));
  const consent = consentId && { consentId, proven: prove(consentKey(consentId)) };
  const { header, certificate } = head;
  return { page: { head: { header, certificate }, keys, ...(consent ? { consent } : {}) }, records };
}
