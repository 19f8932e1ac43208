import { type Commitment, type ConsentId, nodeId, sha256, utf8 } from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grantText, revokeText } from './consent/index.ts';
import {
  Consortium,
  chain,
  keyNamed,
  members,
  type Spoken,
  START,
  signerNamed,
} from './consortium.test-support.ts';
import type { LocatorEntryId } from './locator/index.ts';
import { changeOrganizationText, rotateKeyText } from './membership/index.ts';

function hash(name: string): Uint8Array {
  return sha256(utf8(name));
}

const name = fc.constantFrom('a', 'b', 'c');
const member = fc.constantFrom(...members);
const role = fc.constantFrom('gateway', 'gateway', 'gateway', 'administrator', 'auditor');
const by = fc.tuple(member, role).map(([organization, key]) => `${organization} ${key}`);
const administrator = member.map((organization) => `${organization} administrator`);

const recordsMessage: fc.Arbitrary<Spoken> = fc
  .record({ by, root: name, retired: fc.option(name) })
  .map((drawn) => ({
    by: drawn.by,
    type: 'records/anchor',
    message: {
      root: hash(drawn.root),
      retirements:
        drawn.retired === null
          ? []
          : Array.from({ length: 8 }, (_, index) => ({
              retireSecret: hash(`${drawn.retired} ${index}`),
              successor: hash(`successor ${index}`),
            })),
    },
  }));

const entryId = (text: string) => hash(text).slice(0, 16) as LocatorEntryId;
const locatorMessage: fc.Arbitrary<Spoken> = fc.oneof(
  fc.record({ by, names: fc.array(name, { minLength: 1, maxLength: 3 }) }).map((drawn) => ({
    by: drawn.by,
    type: 'locator/publish',
    message: {
      entries: drawn.names.map((one) => ({ entryId: entryId(one), ciphertext: new Uint8Array(96) })),
    },
  })),
  fc.record({ by, names: fc.array(name, { minLength: 1, maxLength: 2 }) }).map((drawn) => ({
    by: drawn.by,
    type: 'locator/withdraw',
    message: { entryIds: drawn.names.map(entryId) },
  })),
);

const consentId = (text: string) => hash(text).slice(0, 16) as ConsentId;
const consentMessage: fc.Arbitrary<Spoken> = fc.oneof(
  fc
    .record({
      by,
      custodian: member,
      consent: name,
      patient: name,
      length: fc.constantFrom(0, 1_500, 1_000_000),
    })
    .map((drawn) => {
      const terms = {
        consentId: consentId(drawn.consent),
        custodian: drawn.custodian,
        commitment: hash(drawn.consent) as Commitment,
        notBefore: START,
        notAfter: START + drawn.length,
      };
      const patientSignature = signerNamed(drawn.patient).sign(grantText(chain, terms));
      const message = { ...terms, patientKey: keyNamed(drawn.patient), patientSignature };
      return { by: drawn.by, type: 'consent/grant', message };
    }),
  fc.record({ by, consent: name, patient: fc.option(name) }).map((drawn) => {
    const id = consentId(drawn.consent);
    if (drawn.patient === null) return { by: drawn.by, type: 'consent/revoke', message: { consentId: id } };
    const signature = signerNamed(drawn.patient).sign(revokeText(chain, id));
    const patientProof = { patientKey: keyNamed(drawn.patient), signature };
    return { by: drawn.by, type: 'consent/revoke', message: { consentId: id, patientProof } };
  }),
);

const disclosuresMessage: fc.Arbitrary<Spoken> = fc
  .record({ by, root: name, size: fc.constantFrom(1, 2, 3, 64), isAnchor: fc.boolean() })
  .map(({ by: speaker, root, size, isAnchor }) => ({
    by: speaker,
    type: isAnchor ? 'disclosures/anchor' : 'disclosures/acknowledge',
    message: { root: hash(root), size, ...(isAnchor ? { head: hash(`${root} head`) } : {}) },
  }));

const what = fc.constantFrom('suspend', 'reinstate', 'revoke');
const membershipMessage: fc.Arbitrary<Spoken> = fc.oneof(
  fc.record({ by: administrator, what, member }).map((drawn) => ({
    by: drawn.by,
    type: `membership/${drawn.what}-node`,
    message: { node: nodeId(`${drawn.member}-1`) },
  })),
  fc.record({ by: administrator, what, key: by }).map((drawn) => ({
    by: drawn.by,
    type: `membership/${drawn.what}-key`,
    message: { publicKey: keyNamed(drawn.key) },
  })),
  fc
    .record({ by: administrator, what, member, revision: fc.nat(2), approvers: fc.subarray([...members]) })
    .map((drawn) => {
      const terms = { organization: drawn.member, revision: drawn.revision };
      const text = changeOrganizationText(drawn.what as 'suspend', chain, terms);
      const approvals = drawn.approvers.map((one) => ({
        publicKey: keyNamed(`${one} administrator`),
        signature: signerNamed(`${one} administrator`).sign(text),
      }));
      return {
        by: drawn.by,
        type: `membership/${drawn.what}-organization`,
        message: { ...terms, approvals },
      };
    }),
  fc.record({ member, key: fc.constantFrom('node', 'gateway', 'administrator') }).map((drawn) => {
    const oldKey = keyNamed(`${drawn.member} ${drawn.key}`);
    const newKey = keyNamed(`${drawn.member} ${drawn.key} 2`);
    const possession = signerNamed(`${drawn.member} ${drawn.key} 2`).sign(
      rotateKeyText(chain, { oldKey, newKey }),
    );
    return {
      by: `${drawn.member} ${drawn.key}`,
      type: 'membership/rotate-key',
      message: { oldKey, newKey, possession },
    };
  }),
);

const capabilities = {
  membership: membershipMessage,
  records: recordsMessage,
  locator: locatorMessage,
  consent: consentMessage,
  disclosures: disclosuresMessage,
} as const;

/** Invariants are checked after every block by the consortium itself. */
function plays(message: fc.Arbitrary<Spoken>, options: { numRuns: number; blocksMax: number }): void {
  const blocks = fc.array(fc.array(message, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: options.blocksMax,
  });
  fc.assert(
    fc.property(blocks, (history) => {
      const consortium = new Consortium();
      for (const spoken of history) consortium.say(...spoken);
      expect(consortium.replayed().entries()).toEqual(consortium.entries());
    }),
    { numRuns: options.numRuns },
  );
}

describe('any history keeps the invariants, and replaying it gives the same bytes', () => {
  test.each(Object.keys(capabilities) as (keyof typeof capabilities)[])('of %s', (capability) => {
    plays(capabilities[capability], { numRuns: 8, blocksMax: 5 });
  });

  test('LED-05: of all capabilities together', () => {
    plays(fc.oneof(...Object.values(capabilities)), { numRuns: 6, blocksMax: 6 });
  });
});

test('TOK-02: a key with no account and no coin uses every capability, and no result costs gas', () => {
  const consortium = new Consortium();
  const [message] = fc.sample(recordsMessage, { numRuns: 1, seed: 7 });
  if (!message) throw new Error('a message was drawn');
  consortium.say({ ...message, by: `${members[0]} gateway` });
  const tables = consortium
    .entries()
    .map(([key]) => new TextDecoder('latin1').decode(key).split('/').slice(0, 2).join('/'));
  expect([...new Set(tables)].filter((table) => /balance|token|coin|gas|account/.test(table))).toEqual([]);
  expect(consortium.blocks.flatMap(({ results }) => results).every(({ gas }) => gas === 0)).toBe(true);
});
