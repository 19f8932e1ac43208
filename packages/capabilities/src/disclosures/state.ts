import { type Codec, hashCodec, struct, uint } from '@careledger/primitives';
import { type DenseList, denseList } from '../dense-list.ts';

export interface DisclosureAnchor {
  readonly root: Uint8Array;
  readonly size: number;
  readonly head: Uint8Array;
  /** Block time in milliseconds. */
  readonly time: number;
}

export interface Acknowledgement {
  readonly root: Uint8Array;
  readonly size: number;
  /** Block time in milliseconds. */
  readonly time: number;
}

export const disclosureAnchorCodec: Codec<DisclosureAnchor> = struct({
  root: hashCodec,
  size: uint,
  head: hashCodec,
  time: uint,
});

export const acknowledgementCodec: Codec<Acknowledgement> = struct({
  root: hashCodec,
  size: uint,
  time: uint,
});

/** `disclosures/anchor-count/<organization>`, `disclosures/anchor/<organization>/<index>` → DisclosureAnchor. */
export const disclosureAnchors: DenseList<DisclosureAnchor> = denseList(
  'disclosures/anchor',
  disclosureAnchorCodec,
);

/** `disclosures/acknowledgement-count/<organization>`, `disclosures/acknowledgement/<organization>/<index>`. */
export const acknowledgements: DenseList<Acknowledgement> = denseList(
  'disclosures/acknowledgement',
  acknowledgementCodec,
);
