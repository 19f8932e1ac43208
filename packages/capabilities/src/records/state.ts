import { type Codec, concat, hashCodec, struct, uint, utf8 } from '@careledger/primitives';
import type { StateReader, Write } from '@careledger/state-machine';
import { type DenseList, denseList } from '../dense-list.ts';

/** One anchored batch. */
export interface AnchorRecord {
  readonly root: Uint8Array;
  readonly height: number;
  /** Block time in milliseconds. */
  readonly time: number;
}

export const anchorRecordCodec: Codec<AnchorRecord> = struct({ root: hashCodec, height: uint, time: uint });

/** `records/anchor-count/<organization>` → count; `records/anchor/<organization>/<index>` → AnchorRecord. */
export const anchors: DenseList<AnchorRecord> = denseList('records/anchor', anchorRecordCodec);

export const RETIRED_PREFIX: Uint8Array = utf8('records/retired/');

/** `records/retired/<retireKey>` → successor (32 bytes). Its absence is what a recipient asks a proof of. */
export function retiredKey(retireKey: Uint8Array): Uint8Array {
  return concat(RETIRED_PREFIX, retireKey);
}

export function readRetired(state: StateReader, retireKey: Uint8Array): Uint8Array | undefined {
  return state.get(retiredKey(retireKey));
}

export function writeRetired(retireKey: Uint8Array, successor: Uint8Array): Write {
  return { key: retiredKey(retireKey), value: successor };
}
