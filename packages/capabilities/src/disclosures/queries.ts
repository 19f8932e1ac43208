import type { OrganizationId } from '@careledger/primitives';
import type { StateReader } from '@careledger/state-machine';
import { type Acknowledgement, acknowledgements, type DisclosureAnchor, disclosureAnchors } from './state.ts';

/** How many stretches of its journal a custodian has anchored: with the numbered children, provably all of them. */
export function disclosureAnchorCount(state: StateReader, organization: OrganizationId): number {
  return disclosureAnchors.count(state, organization);
}

export function readDisclosureAnchor(
  state: StateReader,
  organization: OrganizationId,
  index: number,
): DisclosureAnchor | undefined {
  return disclosureAnchors.read(state, organization, index);
}

export function acknowledgementCount(state: StateReader, organization: OrganizationId): number {
  return acknowledgements.count(state, organization);
}

export function readAcknowledgement(
  state: StateReader,
  organization: OrganizationId,
  index: number,
): Acknowledgement | undefined {
  return acknowledgements.read(state, organization, index);
}
