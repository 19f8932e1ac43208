import { type ChainId, type Codec, fixedBytes, oneOf, struct, uint } from '@careledger/primitives';

export const VOTE_KINDS = ['pre-prepare', 'prepare'] as const;
/** What a validator of an embedded engine signs before it commits. */
export type VoteKind = (typeof VOTE_KINDS)[number];

const HASH_BYTES = 32;
const DOMAINS = {
  'pre-prepare': 'careledger/pre-prepare/v1',
  prepare: 'careledger/prepare/v1',
} as const satisfies Record<VoteKind, string>;

export interface Vote {
  readonly kind: VoteKind;
  readonly chain: ChainId;
  readonly engineHeight: number;
  readonly view: number;
  /** Of the whole proposal. */
  readonly digest: Uint8Array;
}

type SignedVote = Omit<Vote, 'kind' | 'chain'> & { readonly kind: string; readonly chain: Uint8Array };

function voteCodec(domain: string): Codec<SignedVote> {
  return struct({
    kind: oneOf([domain]),
    chain: fixedBytes(HASH_BYTES),
    engineHeight: uint,
    view: uint,
    digest: fixedBytes(HASH_BYTES),
  });
}

const codecs: Readonly<Record<VoteKind, Codec<SignedVote>>> = {
  'pre-prepare': voteCodec(DOMAINS['pre-prepare']),
  prepare: voteCodec(DOMAINS.prepare),
};

/**
 * The bytes that a validator signs for a proposal: with `commitBytes` all by which it can be shown to have signed two
 * things at one height and view. The engines of `packages/consensus` write the same bytes.
 */
export function voteBytes(vote: Vote): Uint8Array {
  return codecs[vote.kind].encode({ ...vote, kind: DOMAINS[vote.kind] });
}
