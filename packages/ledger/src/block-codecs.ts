import {
  bytes,
  CborError,
  type CborValue,
  type Codec,
  chainIdCodec,
  codec,
  compareBytes,
  err,
  fixedBytes,
  type HeaderHash,
  hashCodec,
  headerHashCodec,
  list,
  nodeIdCodec,
  ok,
  organizationIdCodec,
  publicKeyCodec,
  type Result,
  SIGNATURE_BYTES,
  sha256,
  struct,
  text,
  uint,
} from '@careledger/primitives';
import type {
  Block,
  BlockHeader,
  CertifiedHeader,
  CommitSignature,
  EngineIdentity,
  FinalityCertificate,
  LedgerEvent,
  TransactionResult,
  Validator,
} from './block.ts';
import { merkleRoot } from './merkle/subtrees.ts';
import { TRANSACTION_BYTES_CEILING } from './transaction.ts';

/** The engine's own bytes in a header. */
export const SEAL_BYTES_MAX = 1024;
export const ENGINE_ID_BYTES_MAX = 32;
export const VALIDATORS_MAX = 256;
/** Power of one validator: the sum over a set stays a safe integer. */
export const VALIDATOR_POWER_MAX = 2 ** 32;
export const EVENTS_MAX = 1024;
export const EVENT_TYPE_BYTES_MAX = 96;
export const EVENT_ATTRIBUTES_MAX = 32;
export const EVENT_TEXT_BYTES_MAX = 256;
export const BLOCK_TRANSACTIONS_MAX = 65_536;
/** A whole encoded block with results and certificate. */
export const BLOCK_BYTES_MAX = 64 * 1024 * 1024;
export const HEADER_BYTES_MAX = 4096;

const WORDS = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

export const engineIdentityCodec: Codec<EngineIdentity> = struct({
  id: text({ bytesMax: ENGINE_ID_BYTES_MAX, pattern: WORDS }),
  version: uint,
});

export const headerCodec: Codec<BlockHeader> = struct({
  version: uint,
  chain: chainIdCodec,
  engine: engineIdentityCodec,
  height: uint,
  time: uint,
  previousHash: hashCodec,
  transactionsRoot: hashCodec,
  resultsRoot: hashCodec,
  stateRoot: hashCodec,
  historyRoot: hashCodec,
  validatorsHash: hashCodec,
  nextValidatorsHash: hashCodec,
  proposer: publicKeyCodec,
  nonce: uint,
  seal: bytes({ bytesMax: SEAL_BYTES_MAX }),
});

/** The header's deterministic CBOR. @throws CborError when a field is out of its limits. */
export function encodeHeader(header: BlockHeader): Uint8Array {
  return headerCodec.encode(header);
}

/** SHA-256 of the header's CBOR: the block's name. */
export function headerHash(header: BlockHeader): HeaderHash {
  return sha256(encodeHeader(header)) as HeaderHash;
}

const eventText = text({ bytesMax: EVENT_TEXT_BYTES_MAX });

function checkAttributeCount(count: number): void {
  if (count > EVENT_ATTRIBUTES_MAX) throw new CborError(`more than ${EVENT_ATTRIBUTES_MAX} attributes`);
}

const attributesCodec: Codec<Readonly<Record<string, string>>> = codec(
  { kind: 'map', of: eventText.shape, countMax: EVENT_ATTRIBUTES_MAX },
  (value) => {
    const entries = Object.entries(value);
    checkAttributeCount(entries.length);
    return new Map(entries.map(([name, content]) => [eventText.fromCbor(name), eventText.toCbor(content)]));
  },
  (value) => {
    if (!(value instanceof Map)) throw new CborError('not a map');
    checkAttributeCount(value.size);
    const entries = [...(value as ReadonlyMap<CborValue, CborValue>)];
    return Object.fromEntries(
      entries.map(([name, content]) => [eventText.fromCbor(name), eventText.fromCbor(content)]),
    );
  },
);

export const ledgerEventCodec: Codec<LedgerEvent> = struct({
  type: text({ bytesMax: EVENT_TYPE_BYTES_MAX }),
  attributes: attributesCodec,
});

export const transactionResultCodec: Codec<TransactionResult> = struct({
  code: uint,
  events: list(ledgerEventCodec, { countMax: EVENTS_MAX }),
  gas: uint,
});

const powerCodec: Codec<number> = codec(
  uint.shape,
  (value) => checkPower(uint.toCbor(value)),
  (value) => checkPower(value),
);

function checkPower(value: CborValue): number {
  if (typeof value !== 'number' || value < 1 || value > VALIDATOR_POWER_MAX)
    throw new CborError('not a voting power');
  return value;
}

export const validatorCodec: Codec<Validator> = struct({
  node: nodeIdCodec,
  organization: organizationIdCodec,
  publicKey: publicKeyCodec,
  power: powerCodec,
});

const validatorListCodec = list(validatorCodec, { countMax: VALIDATORS_MAX });

function checkValidatorOrder(validators: readonly Validator[]): void {
  if (validators.length === 0) throw new CborError('a validator set is empty');
  for (const [index, validator] of validators.entries()) {
    const next = validators[index + 1];
    if (next && compareBytes(validator.publicKey, next.publicKey) >= 0)
      throw new CborError('validators are not in order of their public keys, each once');
  }
}

/** A validator set in its one form: not empty, sorted by public key, each key once. */
export const validatorSetCodec: Codec<readonly Validator[]> = codec(
  validatorListCodec.shape,
  (validators) => {
    checkValidatorOrder(validators);
    return validatorListCodec.toCbor(validators);
  },
  (value) => {
    const validators = validatorListCodec.fromCbor(value);
    checkValidatorOrder(validators);
    return validators;
  },
);

/** The set in the order in which it is hashed and stored. */
export function sortValidators(validators: readonly Validator[]): readonly Validator[] {
  return [...validators].sort((left, right) => compareBytes(left.publicKey, right.publicKey));
}

/**
 * Hash of a validator set, whatever its order: SHA-256 of the CBOR list sorted by public key.
 * @throws CborError when it is empty or names a key twice.
 */
export function validatorsHash(validators: readonly Validator[]): Uint8Array {
  return sha256(validatorSetCodec.encode(sortValidators(validators)));
}

export const commitSignatureCodec: Codec<CommitSignature> = struct({
  publicKey: publicKeyCodec,
  signature: fixedBytes(SIGNATURE_BYTES),
});

export const certificateCodec: Codec<FinalityCertificate> = struct({
  engineHeight: uint,
  view: uint,
  time: uint,
  ledgerHeight: uint,
  headerHash: headerHashCodec,
  signatures: list(commitSignatureCodec, { countMax: VALIDATORS_MAX }),
});

export const certifiedHeaderFields = { header: headerCodec, certificate: certificateCodec };
export const certifiedHeaderCodec: Codec<CertifiedHeader> = struct(certifiedHeaderFields);

export const blockCodec: Codec<Block> = struct({
  header: headerCodec,
  transactions: list(bytes({ bytesMax: TRANSACTION_BYTES_CEILING }), { countMax: BLOCK_TRANSACTIONS_MAX }),
  results: list(transactionResultCodec, { countMax: BLOCK_TRANSACTIONS_MAX }),
  certificate: certificateCodec,
});

/** The block as it is stored, sent and exported. */
export function encodeBlock(block: Block): Uint8Array {
  return blockCodec.encode(block);
}

/** Why bytes are not a block; `detail` names the field, never its content. */
export interface BlockFault {
  readonly code: 'block/malformed';
  readonly detail: string;
}

/** Reads a block in its one form. Checks no hash and no signature: see `verifyBlockLink`. */
export function decodeBlock(
  encoded: Uint8Array,
  options: { readonly bytesMax: number } = { bytesMax: BLOCK_BYTES_MAX },
): Result<Block, BlockFault> {
  const decoded = decodeWith(blockCodec, encoded, options.bytesMax);
  return decoded.ok ? decoded : err({ code: 'block/malformed', detail: decoded.error });
}

/** Decodes bytes of foreign origin: the problem in words instead of an exception. */
export function decodeWith<Value>(
  of: Codec<Value>,
  encoded: Uint8Array,
  bytesMax: number,
): Result<Value, string> {
  try {
    return ok(of.decode(encoded, { depthMax: 24, itemsMax: 1_000_000, bytesMax }));
  } catch (error) {
    if (error instanceof CborError) return err(error.message);
    throw error;
  }
}

/** The root over whole transactions in order. */
export function transactionsRoot(transactions: readonly Uint8Array[]): Uint8Array {
  return merkleRoot(transactions);
}

/** The root over encoded results, one for each transaction. */
export function resultsRoot(results: readonly TransactionResult[]): Uint8Array {
  return merkleRoot(results.map(transactionResultCodec.encode));
}
