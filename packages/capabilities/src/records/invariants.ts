import type { Invariant } from '@careledger/state-machine';
import { anchors, DISPUTED_PREFIX, RETIRED_PREFIX, recordDisputeCodec } from './state.ts';

const RETIRED_MAX = 1_000_000;
const HASH_BYTES = 32;

export const anchorsAreDense: Invariant = { name: 'records/anchors-are-dense', check: anchors.check };

export const retirementsAreHashes: Invariant = {
  name: 'records/retirements-are-hashes',
  check(state) {
    for (const [key, value] of state.scan(RETIRED_PREFIX, RETIRED_MAX)) {
      const fits = key.length === RETIRED_PREFIX.length + HASH_BYTES && value.length === HASH_BYTES;
      if (!fits) return 'a retirement is not a pair of hashes';
    }
    return undefined;
  },
};

export const disputesAreReadable: Invariant = {
  name: 'records/disputes-are-readable',
  check(state) {
    for (const [key, value] of state.scan(DISPUTED_PREFIX, RETIRED_MAX)) {
      recordDisputeCodec.decode(value);
      if (key.length <= DISPUTED_PREFIX.length + HASH_BYTES + 1) return 'a dispute names no organization';
    }
    return undefined;
  },
};
