import { type Codec, hashCodec, struct } from '@careledger/primitives';
import { uintUpTo } from '../bounded.ts';

/** Leaves under one root: a power of two, so that the number of disclosures does not show. */
export const SIZE_MAX = 65_536;

/** A stretch of the custodian's journal: releases and refusals alike. */
export interface AnchorDisclosures {
  /** RFC 9162 root over the stretch's leaves, padded with random ones. */
  readonly root: Uint8Array;
  readonly size: number;
  /** The journal's hash chain up to the end of this stretch. */
  readonly head: Uint8Array;
}

/** A recipient's own list of the disclosure leaves that it was handed: leaving one out needs two liars. */
export interface AcknowledgeDisclosures {
  readonly root: Uint8Array;
  readonly size: number;
}

export const anchorDisclosuresCodec: Codec<AnchorDisclosures> = struct({
  root: hashCodec,
  size: uintUpTo(SIZE_MAX),
  head: hashCodec,
});

export const acknowledgeDisclosuresCodec: Codec<AcknowledgeDisclosures> = struct({
  root: hashCodec,
  size: uintUpTo(SIZE_MAX),
});
