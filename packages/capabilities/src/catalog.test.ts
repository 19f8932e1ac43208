import type { Shape } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { catalog } from './catalog.ts';
import { Consortium, genesis, hospital, speak } from './consortium.test-support.ts';
import { bytesMaxOf, describeCatalog, phiAllowList } from './describe-catalog.ts';

const NAME = '^[a-z][a-z0-9]*(-[a-z0-9]+)*$';

describe('what may stand on the ledger', () => {
  test('OFF-01: the allow-list states type and byte limit of every field of every transaction type', () => {
    const list = phiAllowList();
    const types = new Set(list.map(({ type }) => type));
    expect(types).toEqual(new Set(catalog.capabilities.flatMap(({ messages }) => Object.keys(messages))));
    for (const { type, field, bytesMax } of list) {
      expect(bytesMax, `${type} ${field}`).toBeGreaterThan(0);
      expect(bytesMax, `${type} ${field}`).toBeLessThanOrEqual(98);
    }
    expect(list).toContainEqual({
      type: 'records/anchor',
      field: 'retirements[].successor',
      kind: 'bytes',
      bytesMax: 34,
    });
  });

  test('OFF-02: no transaction type has free text: every text is an organization’s or a node’s id', () => {
    const texts = phiAllowList().filter(({ kind }) => kind === 'text');
    expect(texts.length).toBeGreaterThan(0);
    for (const { type, field, pattern } of texts) {
      expect(pattern, `${type} ${field}`).toBe(NAME);
      expect(['organization', 'node', 'custodian'], `${type} ${field}`).toContain(field);
    }
  });

  test('OFF-01: every type has a byte budget within the limit of a transaction', () => {
    for (const { type, bodyBytesMax } of describeCatalog()) {
      expect(bodyBytesMax, type).toBeLessThan(genesis.parameters.transactionBytesMax - 512);
    }
  });

  test('OFF-04: an organization id that hides an identifier is refused by the detector behind the pattern', () => {
    const consortium = new Consortium();
    const hidden = speak(
      {
        by: `${hospital} administrator`,
        type: 'membership/revoke-organization',
        message: { organization: 'ssn-078-05-1120', revision: 0, approvals: [] },
      },
      consortium.header.time,
    );
    expect(consortium.application.checkTransaction(hidden, consortium.header.time)).toMatchObject({
      reason: 'transaction/identifier',
    });
  });
});

describe('the catalog describes itself', () => {
  test('result codes are unique over all capabilities and lie in their capability’s range', () => {
    const codes = describeCatalog().flatMap(({ capability, rejections }) =>
      Object.entries(rejections).map(([name, code]) => `${capability} ${name} ${code}`),
    );
    const numbers = new Map<string, string>();
    for (const line of new Set(codes)) {
      const [capability, name, code] = line.split(' ') as [string, string, string];
      expect(numbers.get(code), line).toBeUndefined();
      numbers.set(code, name);
      expect(name.startsWith(`${capability}/`), line).toBe(true);
    }
    const bases = catalog.capabilities.map(({ name, codeBase }) => [name, codeBase]);
    expect(bases).toEqual([
      ['membership', 1000],
      ['records', 2000],
      ['locator', 3000],
      ['consent', 4000],
      ['disclosures', 5000],
      ['schemas', 6000],
    ]);
  });

  test('every message type belongs to its capability and every capability has invariants', () => {
    for (const { name, messages, invariants } of catalog.capabilities) {
      expect(invariants.length, name).toBeGreaterThan(0);
      for (const type of Object.keys(messages)) expect(type.startsWith(`${name}/`), type).toBe(true);
    }
  });

  test('the longest encoding is counted exactly for a grant', () => {
    const shape: Shape | undefined = describeCatalog().find(({ type }) => type === 'consent/grant')?.schema;
    if (!shape) throw new Error('there is a grant');
    const names = [
      'consentId',
      'custodian',
      'commitment',
      'patientKey',
      'notBefore',
      'notAfter',
      'patientSignature',
    ];
    const values = [17, 50, 34, 34, 9, 9, 66];
    const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
    expect(bytesMaxOf(shape)).toBe(1 + sum(names.map(({ length }) => length + 1)) + sum(values));
  });
});
