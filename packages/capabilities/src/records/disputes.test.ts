import { inclusionProofOf, merkleLeafHash, merkleRoot } from '@careledger/ledger';
import { sha256, utf8 } from '@careledger/primitives';
import { expect, test } from 'vitest';
import { Consortium, clinic, hospital, plan } from '../consortium.test-support.ts';
import { listRecordDisputes } from './index.ts';

const leaves = ['a', 'b', 'c', 'd'].map(utf8);
const leaf = merkleLeafHash(utf8('c'));
const statement = sha256(utf8('a salted statement'));

function anchored(): Consortium {
  const consortium = new Consortium();
  const message = { root: merkleRoot(leaves), retirements: [] };
  consortium.say({ by: `${hospital} gateway`, type: 'records/anchor', message });
  return consortium;
}

function dispute(by: string, changes: object = {}) {
  const message = {
    custodian: hospital,
    anchor: 0,
    leaf,
    leafProof: inclusionProofOf(leaves, 2),
    reason: 'wrong-subject',
    statement,
    ...changes,
  };
  return { by, type: 'records/dispute', message };
}

test('LED-28: a record that was rightly signed and is wrong is flagged by whoever holds its receipt', () => {
  const consortium = anchored();
  expect(consortium.say(dispute(`${clinic} gateway`))).toEqual(['accepted']);
  expect(consortium.say(dispute(`${plan} auditor`, { reason: 'wrong-content' }))).toEqual(['accepted']);
  const disputes = listRecordDisputes(consortium.store, leaf);
  expect(disputes).toMatchObject([
    { organization: plan, reason: 'wrong-content', statement, height: 3 },
    { organization: clinic, reason: 'wrong-subject', statement, height: 2 },
  ]);
  expect(listRecordDisputes(consortium.store, merkleLeafHash(utf8('a')))).toEqual([]);
});

test('LED-28: who cannot show the path from leaf to anchor disputes nothing', () => {
  const consortium = anchored();
  const by = `${clinic} gateway`;
  const wrong = [
    { leaf: merkleLeafHash(utf8('x')) },
    { leafProof: inclusionProofOf(leaves, 1) },
    { anchor: 1 },
    { custodian: clinic },
  ];
  for (const changes of wrong) {
    expect(consortium.say(dispute(by, changes))).toEqual(['records/not-anchored']);
  }
});

test('LED-28: a dispute stands once for each organization, and its author alone takes it back', () => {
  const consortium = anchored();
  const by = `${clinic} gateway`;
  expect(consortium.say(dispute(by, { reason: 'withdrawn' }))).toEqual(['records/not-disputed']);
  expect(consortium.say(dispute(by))).toEqual(['accepted']);
  expect(consortium.say(dispute(by))).toEqual(['records/already-disputed']);
  expect(consortium.say(dispute(`${plan} gateway`, { reason: 'withdrawn' }))).toEqual([
    'records/not-disputed',
  ]);
  expect(consortium.say(dispute(by, { reason: 'withdrawn' }))).toEqual(['accepted']);
  expect(listRecordDisputes(consortium.store, leaf)).toMatchObject([{ reason: 'withdrawn' }]);
  expect(consortium.say(dispute(by, { reason: 'duplicate' }))).toEqual(['accepted']);
  expect(consortium.replayed().header.stateRoot).toEqual(consortium.header.stateRoot);
});
