import {
  bytes,
  type ChainId,
  type Codec,
  err,
  ok,
  PUBLIC_KEY_BYTES,
  type PublicKey,
  type Result,
  sha256,
  struct,
  text,
  uint,
} from '@careledger/primitives';
import type { BlockHeader, EngineIdentity, Validator } from './block.ts';
import { decodeWith, engineIdentityCodec, validatorSetCodec, validatorsHash } from './block-codecs.ts';
import { EMPTY_MERKLE_ROOT } from './merkle/hash.ts';

/** What every block of a chain is judged by. */
export interface ChainParameters {
  readonly transactionBytesMax: number;
  readonly blockBytesMax: number;
  /** `opt-in-exchange`, `us-hipaa`, ... */
  readonly rulePack: string;
  /** Version of the detector of identifiers in text fields. */
  readonly detectorVersion: number;
}

/** The document that founds a chain. SHA-256 of its bytes is the chain's id and its only root of trust. */
export interface Genesis {
  readonly version: number;
  /** What people call the network: `local-consortium`. */
  readonly network: string;
  /** Block time of the genesis header, milliseconds. */
  readonly time: number;
  readonly engine: EngineIdentity;
  readonly parameters: ChainParameters;
  /** Sorted by public key. */
  readonly validators: readonly Validator[];
  /** Membership's own genesis CBOR. */
  readonly applicationState: Uint8Array;
}

export const GENESIS_VERSION = 1;
export const HEADER_VERSION = 1;
export const GENESIS_BYTES_MAX = 1024 * 1024;
export const NETWORK_NAME_BYTES_MAX = 64;

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

export const genesisCodec: Codec<Genesis> = struct({
  version: uint,
  network: text({ bytesMax: NETWORK_NAME_BYTES_MAX, pattern: NAME }),
  time: uint,
  engine: engineIdentityCodec,
  parameters: struct({
    transactionBytesMax: uint,
    blockBytesMax: uint,
    rulePack: text({ bytesMax: 64, pattern: NAME }),
    detectorVersion: uint,
  }),
  validators: validatorSetCodec,
  applicationState: bytes({ bytesMax: GENESIS_BYTES_MAX }),
});

/** SHA-256 of the genesis document's bytes. */
export function chainIdOf(genesis: Uint8Array): ChainId {
  return sha256(genesis) as ChainId;
}

/** Reads a genesis document of foreign origin. The error is a sentence that names the field. */
export function decodeGenesis(encoded: Uint8Array): Result<Genesis, string> {
  const genesis = decodeWith(genesisCodec, encoded, GENESIS_BYTES_MAX);
  if (!genesis.ok) return genesis;
  return genesis.value.version === GENESIS_VERSION ? ok(genesis.value) : err('version: not known here');
}

/**
 * The header of height 0. Every node derives it; nobody signs it: it holds nothing but what the genesis document says,
 * and the root of the state that the document founds.
 */
export function genesisHeader(options: {
  readonly genesis: Genesis;
  readonly chain: ChainId;
  readonly stateRoot: Uint8Array;
}): BlockHeader {
  const validators = validatorsHash(options.genesis.validators);
  return {
    version: HEADER_VERSION,
    chain: options.chain,
    engine: options.genesis.engine,
    height: 0,
    time: options.genesis.time,
    previousHash: new Uint8Array(32),
    transactionsRoot: EMPTY_MERKLE_ROOT,
    resultsRoot: EMPTY_MERKLE_ROOT,
    stateRoot: options.stateRoot,
    historyRoot: EMPTY_MERKLE_ROOT,
    validatorsHash: validators,
    nextValidatorsHash: validators,
    proposer: new Uint8Array(PUBLIC_KEY_BYTES) as PublicKey,
    nonce: 0,
    seal: new Uint8Array(0),
  };
}
