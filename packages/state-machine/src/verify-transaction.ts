import {
  type ChainParameters,
  decodeTransaction,
  type Transaction,
  verifyTransactionSignature,
} from '@careledger/ledger';
import {
  CborError,
  type CborValue,
  type ChainId,
  decodeCbor,
  equalBytes,
  err,
  ok,
  type Result,
  type VerifySignature,
} from '@careledger/primitives';
import type { VerifiedTransaction, VerifyTransaction } from './application.ts';
import { type Catalog, type Dispatch, dispatchOf } from './catalog.ts';
import { detectorOf, findIdentifier } from './detector/index.ts';
import type { Refusal } from './refusals.ts';

const BODY_LIMITS = { depthMax: 12, itemsMax: 65_536, bytesMax: 1024 * 1024 };

function refused(reason: Refusal, detail?: string): VerifiedTransaction {
  return detail === undefined ? { ok: false, reason } : { ok: false, reason, detail };
}

function readBody(
  { message }: Dispatch,
  body: Uint8Array,
): Result<{ readonly value: CborValue; readonly message: unknown }, string> {
  try {
    const value = decodeCbor(body, BODY_LIMITS);
    return ok({ value, message: message.codec.fromCbor(value) });
  } catch (error) {
    if (error instanceof CborError) return err(error.message);
    throw error;
  }
}

/**
 * Makes the check that needs no state: form, chain, type, every field, the detector behind the fields, the envelope's
 * signature and the inner ones. This is what a node's worker threads run ahead of execution, once for each transaction.
 *
 * @throws RangeError when the chain's parameters name a detector version that is not known here.
 * @example
 * const verifyTransaction = verifyTransactionWith({ verifySignature, catalog, chain, parameters });
 */
export function verifyTransactionWith(options: {
  readonly verifySignature: VerifySignature;
  readonly catalog: Pick<Catalog, 'capabilities'>;
  readonly chain: ChainId;
  readonly parameters: Pick<ChainParameters, 'transactionBytesMax' | 'detectorVersion'>;
}): VerifyTransaction {
  const { verifySignature, catalog, chain, parameters } = options;
  const detect = detectorOf(parameters.detectorVersion);
  return (bytes) => {
    const decoded = decodeTransaction(bytes, { bytesMax: parameters.transactionBytesMax });
    if (!decoded.ok) return refused(decoded.error);
    const transaction: Transaction = decoded.value;
    const { payload } = transaction;
    if (!equalBytes(payload.chain, chain)) return refused('transaction/foreign-chain');
    const dispatch = dispatchOf(catalog, payload.type);
    if (!dispatch) return refused('transaction/unknown-type');
    const body = readBody(dispatch, payload.body);
    if (!body.ok) return refused('transaction/body', body.error);
    const identifier = findIdentifier(dispatch.message.codec.shape, body.value.value, detect);
    if (identifier) return refused('transaction/identifier', `${identifier.path}: ${identifier.kind}`);
    if (!verifyTransactionSignature(transaction, verifySignature)) return refused('transaction/signature');
    const inner = dispatch.message.signaturesOf(body.value.message, chain);
    if (!inner.every(verifySignature)) return refused('transaction/inner-signature');
    return { ok: true, transaction, message: body.value.message };
  };
}
