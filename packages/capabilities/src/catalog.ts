import type { Capability, Catalog } from '@careledger/state-machine';
import { consent } from './consent/index.ts';
import { disclosures } from './disclosures/index.ts';
import { locator } from './locator/index.ts';
import {
  initialMembershipWrites,
  keyInForce,
  MEMBERSHIP_PREFIX,
  membership,
  readValidators,
} from './membership/index.ts';
import { records } from './records/index.ts';
import { initialSchemaWrites, isSchemaInForce, schemasFor } from './schemas/index.ts';

const spoken: readonly Capability[] = [membership, records, locator, consent, disclosures];
const capabilities: readonly Capability[] = [...spoken, schemasFor(spoken)];

/** Everything that this version of Careledger can do on a chain: one line for each capability. */
export const catalog: Catalog = {
  capabilities,
  keyInForce,
  isTypeInForce: isSchemaInForce,
  validators: readValidators,
  validatorsUnder: MEMBERSHIP_PREFIX,
  initialWrites: (applicationState) => [
    ...initialMembershipWrites(applicationState),
    ...initialSchemaWrites(capabilities),
  ],
};
