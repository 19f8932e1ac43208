import type { Invariant } from '@careledger/state-machine';
import { acknowledgements, disclosureAnchors } from './state.ts';

export const anchorsAreDense: Invariant = {
  name: 'disclosures/anchors-are-dense',
  check: disclosureAnchors.check,
};

export const acknowledgementsAreDense: Invariant = {
  name: 'disclosures/acknowledgements-are-dense',
  check: acknowledgements.check,
};
