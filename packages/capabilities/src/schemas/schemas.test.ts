import { type CborValue, encodeCbor, sha256, toHex, utf8 } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { catalog } from '../catalog.ts';
import {
  Consortium,
  chain,
  clinic,
  hospital,
  keyNamed,
  plan,
  signerNamed,
  speak,
} from '../consortium.test-support.ts';
import { anchors } from '../records/index.ts';
import { adoptSchemaText, decodeSchema, listSchemas, schemaHash, schemaKey } from './index.ts';
import { schemasOf } from './schema.ts';

const validated = schemasOf(catalog.capabilities).find(
  ({ name, version }) => name === 'records/anchor' && version === 2,
);
if (!validated) throw new Error('there is a second version of the anchor');
const schema = schemaHash(validated);

function adoption(by: string, approvers: readonly string[], hash: Uint8Array = schema) {
  const approvals = approvers.map((name) => ({
    publicKey: keyNamed(`${name} administrator`),
    signature: signerNamed(`${name} administrator`).sign(adoptSchemaText(chain, hash)),
  }));
  return { by: `${by} administrator`, type: 'schemas/adopt', message: { schema: hash, approvals } };
}

function anchor(version: 1 | 2, name: string) {
  const message = { root: sha256(utf8(name)), retirements: [] };
  const by = `${hospital} gateway`;
  if (version === 1) return { by, type: 'records/anchor', message };
  const validation = { validator: sha256(utf8('validator 1')), outcome: 'valid-with-warnings' };
  return { by, type: 'records/anchor@2', message: { ...message, validation } };
}

describe('schemas on the ledger', () => {
  test('LED-04: the first version of every transaction type has its schema in state from genesis on', () => {
    const { store } = new Consortium();
    const inForce = listSchemas(store).map(({ name, version }) => `${name} ${version}`);
    const types = catalog.capabilities.flatMap(({ messages }) => Object.keys(messages));
    expect(inForce.sort()).toEqual(
      types
        .filter((type) => !type.includes('@'))
        .map((type) => `${type} 1`)
        .sort(),
    );
    const grant = store.get(schemaKey('consent/grant'));
    expect(grant && decodeSchema(grant).body).toMatchObject({
      kind: 'struct',
      fields: { consentId: { kind: 'bytes', bytesMin: 16, bytesMax: 16 } },
    });
  });

  test('LED-04: a transaction that does not match its schema is refused with the path of the field', () => {
    const consortium = new Consortium();
    const retirement = new Map<string, CborValue>([
      ['retireSecret', new Uint8Array(32)],
      ['successor', 'x'],
    ]);
    const body = new Map<string, CborValue>([
      ['root', new Uint8Array(32)],
      ['retirements', Array.from({ length: 8 }, () => retirement)],
    ]);
    const { time } = consortium.header;
    const bytes = speak(
      { by: `${hospital} gateway`, type: 'records/anchor', message: encodeCbor(body) },
      time,
    );
    const verdict = consortium.application.checkTransaction(bytes, time);
    expect(verdict).toMatchObject({ code: 10, reason: 'transaction/body' });
    expect(verdict.detail).toContain('retirements[0].successor');
  });

  test('LED-04, OFF-20: a second version counts from its adoption on, beside the first, and both read alike', () => {
    const consortium = new Consortium();
    expect(consortium.say(anchor(2, 'too early'))).toEqual(['code 24']);
    expect(consortium.say(adoption(hospital, [clinic, plan]))).toEqual(['accepted']);
    expect(consortium.say(anchor(1, 'one'), anchor(2, 'two'), anchor(1, 'three'))).toEqual([
      'accepted',
      'accepted',
      'accepted',
    ]);
    const read = [0, 1, 2].map((index) => anchors.read(consortium.store, hospital, index));
    expect(read.map((one) => one && toHex(one.root))).toEqual(
      ['one', 'two', 'three'].map((name) => toHex(sha256(utf8(name)))),
    );
    expect(read.map((one) => one?.validation?.outcome)).toEqual([
      undefined,
      'valid-with-warnings',
      undefined,
    ]);
    expect(consortium.replayed().header.stateRoot).toEqual(consortium.header.stateRoot);
  });

  test('LED-04: a schema is adopted by more than half of the members, once, and only one that a node can read', () => {
    const consortium = new Consortium();
    expect(consortium.say({ ...adoption(hospital, [clinic, plan]), by: `${hospital} gateway` })).toEqual([
      'schemas/not-administrator',
    ]);
    expect(consortium.say(adoption(hospital, [clinic]))).toEqual(['schemas/not-approved']);
    expect(consortium.say(adoption(hospital, [clinic, plan], sha256(utf8('nothing'))))).toEqual([
      'schemas/unknown',
    ]);
    expect(consortium.say(adoption(hospital, [clinic, plan]))).toEqual(['accepted']);
    expect(consortium.say(adoption(clinic, [hospital, plan]))).toEqual(['schemas/already-in-force']);
  });

  test('golden bytes: the schema of the second version of an anchor', () => {
    expect(toHex(schema)).toMatchInlineSnapshot(
      `"396675511c2604bbc5e0bd7b2579faf680c13237a0fbfe3ae80c87f24f41ff7a"`,
    );
  });
});
