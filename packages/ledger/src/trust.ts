import {
  bytes,
  CborError,
  type ChainId,
  type Codec,
  equalBytes,
  err,
  type HeaderHash,
  list,
  ok,
  type Result,
  struct,
  toHex,
  type VerifySignature,
} from '@careledger/primitives';
import type { BlockHeader, CertifiedHeader, Validator } from './block.ts';
import { certifiedHeaderCodec, validatorSetCodec, validatorsHash } from './block-codecs.ts';
import { type FinalityFault, verifyFinality } from './certificate.ts';
import { chainIdOf, decodeGenesis, GENESIS_BYTES_MAX, type Genesis, HEADER_VERSION } from './genesis.ts';

/** Which part cannot be trusted, and why. */
export interface TrustFault {
  readonly code: 'genesis' | 'header' | 'validator set' | 'certificate';
  readonly detail: string;
}

/** What travels with evidence so that it can be judged from the genesis hash alone. */
export interface TrustPath {
  /** The genesis document's bytes. */
  readonly genesis: Uint8Array;
  /** Every header since genesis that names another next validator set, in order of height. */
  readonly changes: readonly CertifiedHeader[];
  /** The sets that those headers name. Genesis holds the first. */
  readonly validatorSets: readonly (readonly Validator[])[];
}

export const VALIDATOR_CHANGES_MAX = 10_000;

export const trustPathFields = {
  genesis: bytes({ bytesMax: GENESIS_BYTES_MAX }),
  changes: list(certifiedHeaderCodec, { countMax: VALIDATOR_CHANGES_MAX }),
  validatorSets: list(validatorSetCodec, { countMax: VALIDATOR_CHANGES_MAX }),
};
export const trustPathCodec: Codec<TrustPath> = struct(trustPathFields);

interface Reign {
  readonly fromHeight: number;
  readonly validatorsHash: Uint8Array;
}

const FINALITY_PART: Readonly<Record<FinalityFault, TrustFault['code']>> = {
  'validator set': 'validator set',
  'header hash': 'header',
  'ledger height': 'certificate',
  time: 'certificate',
  'unknown signer': 'certificate',
  'repeated signer': 'certificate',
  signature: 'certificate',
  quorum: 'certificate',
};

/**
 * What a verifier knows of a chain: its genesis, and which validator set signs from which height. It grows by headers
 * that it verified, and by nothing else: a set is believed if genesis holds it, or if a verified header names its hash
 * as the next one. A set that was replaced is not believed for later heights.
 */
export class TrustedChain {
  readonly chain: ChainId;
  readonly genesis: Genesis;
  readonly #reigns: Reign[];
  readonly #sets = new Map<string, readonly Validator[]>();

  private constructor(chain: ChainId, genesis: Genesis) {
    const first = validatorsHash(genesis.validators);
    this.chain = chain;
    this.genesis = genesis;
    this.#reigns = [{ fromHeight: 0, validatorsHash: first }];
    this.#sets.set(toHex(first), genesis.validators);
  }

  /**
   * @param options.genesis The genesis document's bytes, from anywhere.
   * @param options.expectedChain The chain id that the caller knows from elsewhere: the only thing taken on trust.
   */
  static fromGenesis(options: {
    readonly genesis: Uint8Array;
    readonly expectedChain: Uint8Array;
  }): Result<TrustedChain, TrustFault> {
    const chain = chainIdOf(options.genesis);
    if (!equalBytes(chain, options.expectedChain))
      return err({ code: 'genesis', detail: 'its hash is not the trusted chain id' });
    const genesis = decodeGenesis(options.genesis);
    return genesis.ok
      ? ok(new TrustedChain(chain, genesis.value))
      : err({ code: 'genesis', detail: genesis.error });
  }

  /** A trusted chain with everything that a path proves. Sets that no verified header names are refused. */
  static fromPath(options: {
    readonly path: TrustPath;
    readonly expectedChain: Uint8Array;
    readonly verifySignature: VerifySignature;
  }): Result<TrustedChain, TrustFault> {
    const { path, expectedChain, verifySignature } = options;
    const trusted = TrustedChain.fromGenesis({ genesis: path.genesis, expectedChain });
    if (!trusted.ok) return trusted;
    for (const set of path.validatorSets) trusted.value.offerValidators(set);
    for (const change of path.changes) {
      const verified = trusted.value.verifyHeader(change, verifySignature);
      if (!verified.ok) return verified;
    }
    return trusted;
  }

  /**
   * Hands over a validator set. It is kept under its hash and used only where a verified header names that hash.
   * @returns Whether it has the form of a set.
   */
  offerValidators(validators: readonly Validator[]): boolean {
    try {
      this.#sets.set(toHex(validatorsHash(validators)), validators);
      return true;
    } catch (error) {
      if (error instanceof CborError) return false;
      throw error;
    }
  }

  /** The set that signs this height as far as is known, or `undefined` when it was not handed over. */
  validatorsAt(height: number): readonly Validator[] | undefined {
    return this.#sets.get(toHex(this.#reignAt(height).validatorsHash));
  }

  /** Has a set been handed over that neither genesis nor a verified header names? */
  hasUnnamedValidators(): boolean {
    const named = new Set(this.#reigns.map((reign) => toHex(reign.validatorsHash)));
    return [...this.#sets.keys()].some((hash) => !named.has(hash));
  }

  /** Checks that a header is final on this chain, and learns the next validator set from it. */
  verifyHeader(certified: CertifiedHeader, verifySignature: VerifySignature): Result<HeaderHash, TrustFault> {
    const { header, certificate } = certified;
    const foreign = this.#foreignField(header);
    if (foreign) return err({ code: 'header', detail: `its ${foreign} is not this chain's` });
    if (!equalBytes(header.validatorsHash, this.#reignAt(header.height).validatorsHash))
      return err({ code: 'validator set', detail: 'no verified header names the set of this height' });
    const validators = this.validatorsAt(header.height);
    if (!validators) return err({ code: 'validator set', detail: 'the set of this height is missing' });
    const final = verifyFinality({ header, certificate, validators, verifySignature });
    if (!final.ok) return err({ code: FINALITY_PART[final.error], detail: final.error });
    this.#learn(header);
    return final;
  }

  #foreignField(header: BlockHeader): string | undefined {
    const { engine } = this.genesis;
    if (header.version !== HEADER_VERSION) return 'version';
    if (!equalBytes(header.chain, this.chain)) return 'chain';
    return header.engine.id === engine.id && header.engine.version === engine.version ? undefined : 'engine';
  }

  #reignAt(height: number): Reign {
    return this.#reigns.findLast((reign) => reign.fromHeight <= height) as Reign;
  }

  #learn(header: BlockHeader): void {
    if (equalBytes(header.validatorsHash, header.nextValidatorsHash)) return;
    const fromHeight = header.height + 1;
    if (this.#reigns.some((reign) => reign.fromHeight === fromHeight)) return;
    this.#reigns.push({ fromHeight, validatorsHash: header.nextValidatorsHash });
    this.#reigns.sort((left, right) => left.fromHeight - right.fromHeight);
  }
}
