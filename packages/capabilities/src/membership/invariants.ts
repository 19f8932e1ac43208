import { toHex } from '@careledger/primitives';
import type { Invariant } from '@careledger/state-machine';
import { listNodes, listOrganizations, readValidators } from './queries.ts';
import { KEY_PREFIX, keyRecordCodec, readFingerprint, readKey } from './state.ts';

const KEYS_MAX = 1_000_000;

export const someoneValidates: Invariant = {
  name: 'membership/someone-validates',
  check: (state) => (readValidators(state).length > 0 ? undefined : 'no validator is left'),
};

export const everyOrganizationHasAdministrators: Invariant = {
  name: 'membership/every-organization-has-administrators',
  check(state) {
    const counted = new Map<string, number>();
    for (const [, value] of state.scan(KEY_PREFIX, KEYS_MAX)) {
      const key = keyRecordCodec.decode(value);
      if (key.standing !== 'active' || !key.roles.includes('administrator')) continue;
      counted.set(key.organization, (counted.get(key.organization) ?? 0) + 1);
    }
    for (const { organization, administrators } of listOrganizations(state)) {
      if (administrators === 0) return `${organization} has no administrator`;
      if (counted.get(organization) !== administrators) return `${organization} miscounts its administrators`;
    }
    return undefined;
  },
};

export const nodesAndKeysAgree: Invariant = {
  name: 'membership/nodes-and-keys-agree',
  check(state) {
    for (const { node, publicKey, organization, standing, fingerprint } of listNodes(state)) {
      const key = readKey(state, publicKey);
      const agrees = key?.node === node && key.organization === organization && key.standing === standing;
      if (!agrees) return `node ${node} and its key ${toHex(publicKey)} disagree`;
      if (readFingerprint(state, fingerprint) !== node) return `node ${node} is not found by its certificate`;
    }
    return undefined;
  },
};
