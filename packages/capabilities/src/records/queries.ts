import type { OrganizationId } from '@careledger/primitives';
import type { StateReader } from '@careledger/state-machine';
import { type AnchorRecord, anchors, readRetired } from './state.ts';

/** How many batches a custodian has anchored. */
export function anchorCount(state: StateReader, organization: OrganizationId): number {
  return anchors.count(state, organization);
}

export function readAnchor(
  state: StateReader,
  organization: OrganizationId,
  index: number,
): AnchorRecord | undefined {
  return anchors.read(state, organization, index);
}

/** Hash of the leaf that stands in a retired version's place, or `undefined` while the version itself stands. */
export function successorOf(state: StateReader, retireKey: Uint8Array): Uint8Array | undefined {
  return readRetired(state, retireKey);
}
