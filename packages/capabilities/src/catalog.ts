import type { Catalog } from '@careledger/state-machine';
import { consent } from './consent/index.ts';
import { disclosures } from './disclosures/index.ts';
import { locator } from './locator/index.ts';
import { initialMembershipWrites, keyInForce, membership, readValidators } from './membership/index.ts';
import { records } from './records/index.ts';

/** Everything that this version of Careledger can do on a chain: one line for each capability. */
export const catalog: Catalog = {
  capabilities: [membership, records, locator, consent, disclosures],
  keyInForce,
  validators: readValidators,
  initialWrites: initialMembershipWrites,
};
