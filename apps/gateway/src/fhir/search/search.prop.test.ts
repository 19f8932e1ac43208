import type { Observation, Resource } from '@medplum/fhirtypes';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type IndexChange,
  IndexStore,
  type Page,
  searchValuesOf,
  Tokenizer,
  type Visibility,
} from '../../index-store/index.ts';
import { keyedHash } from '../../keystore/keyed-hash.ts';
import { parseSearch } from '../search-query.ts';
import type { Parameter, SearchContext } from './search-context.ts';

const BASE = 'https://localhost:7400/fhir/R4';
const tokenizer = new Tokenizer(keyedHash(new Uint8Array(32)));

/** What an observation of the test says, and how a search asks for it. */
interface Fact {
  readonly status: string;
  readonly code: string;
  readonly value: number | undefined;
  readonly day: number | undefined;
  readonly patient: number;
  readonly systolic: number;
  readonly diastolic: number;
}

const fact: fc.Arbitrary<Fact> = fc.record({
  status: fc.constantFrom('final', 'amended', 'registered'),
  code: fc.constantFrom('a', 'b', 'c'),
  value: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
  day: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  patient: fc.integer({ min: 0, max: 2 }),
  systolic: fc.integer({ min: 0, max: 3 }),
  diastolic: fc.integer({ min: 0, max: 3 }),
});

function dayText(day: number): string {
  return `2026-01-0${day}`;
}

function resourceOf({ status, code, value, day, patient, systolic, diastolic }: Fact, id: string): Resource {
  const part = (name: string, number: number) => ({
    code: { coding: [{ code: name }] },
    valueQuantity: { value: number },
  });
  const observation: Observation = {
    resourceType: 'Observation',
    id,
    status: status as Observation['status'],
    code: { coding: [{ system: 'urn:codes', code }] },
    subject: { reference: `Patient/p${patient}` },
    component: [part('s', systolic), part('d', diastolic)],
    ...(value === undefined ? {} : { valueQuantity: { value, unit: 'x' } }),
    ...(day === undefined ? {} : { effectiveDateTime: dayText(day) }),
  };
  return observation;
}

/** A parameter with what it means, said again without the index. */
interface Asked {
  readonly parameter: Parameter;
  readonly holds: (fact: Fact) => boolean;
}

const small = fc.integer({ min: 0, max: 5 });
const compare: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  '': (left, right) => left === right,
  ne: (left, right) => left !== right,
  gt: (left, right) => left > right,
  lt: (left, right) => left < right,
  ge: (left, right) => left >= right,
  le: (left, right) => left <= right,
  sa: (left, right) => left > right,
  eb: (left, right) => left < right,
};
const prefix = fc.constantFrom(...Object.keys(compare));

const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.subarray(['final', 'amended', 'registered'], { minLength: 1 }).map((some) => ({
    parameter: ['status', some.join(',')] as const,
    holds: ({ status }: Fact) => some.includes(status),
  })),
  fc.constantFrom('a', 'b').map((code) => ({
    parameter: ['code:not', `urn:codes|${code}`] as const,
    holds: (one: Fact) => one.code !== code,
  })),
  fc.tuple(prefix, small).map(([kind, number]) => ({
    parameter: ['value-quantity', `${kind}${number}`] as const,
    holds: ({ value }: Fact) => value !== undefined && (compare[kind]?.(value, number) ?? false),
  })),
  fc.tuple(prefix, fc.integer({ min: 1, max: 6 })).map(([kind, number]) => ({
    parameter: ['date', `${kind}${dayText(number)}`] as const,
    holds: ({ day }: Fact) => day !== undefined && (compare[kind]?.(day, number) ?? false),
  })),
  fc.boolean().map((isMissing) => ({
    parameter: ['date:missing', String(isMissing)] as const,
    holds: ({ day }: Fact) => (day === undefined) === isMissing,
  })),
  fc.integer({ min: 0, max: 2 }).map((number) => ({
    parameter: ['patient', `Patient/p${number}`] as const,
    holds: ({ patient }: Fact) => patient === number,
  })),
  fc.integer({ min: 0, max: 2 }).map((number) => ({
    parameter: ['subject:Patient.identifier', `n${number}`] as const,
    holds: ({ patient }: Fact) => patient === number,
  })),
  fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })).map(([systolic, diastolic]) => ({
    parameter: ['component-code-value-quantity', `s$${systolic},d$gt${diastolic}`] as const,
    holds: (one: Fact) => one.systolic === systolic || one.diastolic > diastolic,
  })),
  fc.tuple(fc.constantFrom('a', 'b'), small).map(([code, number]) => ({
    parameter: ['code-value-quantity', `${code}$ge${number}`] as const,
    holds: (one: Fact) => one.code === code && one.value !== undefined && one.value >= number,
  })),
);

const sort = fc.constantFrom('', 'date', '-date', '-_lastUpdated', 'value-quantity,-date', '-_id');

function sortValue(key: string, one: Fact, seq: number): number | string | undefined {
  if (key === 'date') return one.day;
  if (key === 'value-quantity') return one.value;
  return key === '_id' ? `o${seq}` : seq;
}

/** The same order, by the words of the standard and our rule for what has no value. */
function ordered(found: readonly (readonly [Fact, number])[], keys: string): readonly number[] {
  const parts = keys === '' ? [] : keys.split(',');
  const isReversed = keys.startsWith('-');
  return [...found]
    .sort(([left, leftSeq], [right, rightSeq]) => {
      for (const part of parts) {
        const key = part.replace(/^-/, '');
        const [a, b] = [sortValue(key, left, leftSeq), sortValue(key, right, rightSeq)];
        if (a === b) continue;
        if (a === undefined) return 1;
        if (b === undefined) return -1;
        return a < b === part.startsWith('-') ? 1 : -1;
      }
      return isReversed ? rightSeq - leftSeq : leftSeq - rightSeq;
    })
    .map(([, seq]) => seq);
}

function changeOf(resource: Resource, seq: number, subjects: readonly string[]): IndexChange {
  const values = searchValuesOf(resource, tokenizer, `${BASE}/`);
  return {
    seq,
    type: resource.resourceType,
    id: resource.id ?? '',
    time: seq,
    deleted: false,
    subjects,
    values,
  };
}

async function allPages(index: IndexStore, parameters: readonly Parameter[], context: SearchContext) {
  const { plan } = parseSearch('Observation', parameters, context);
  const seqs: number[] = [];
  let total: number | undefined;
  for (let after: Page | undefined, isFirst = true; isFirst || after; isFirst = false) {
    const found = await index.search({ ...plan, countMax: 3, ...(after ? { after } : {}) });
    if (after) expect(found.seqs.length).toBeGreaterThan(0);
    seqs.push(...found.seqs);
    total = found.total;
    after = found.next;
  }
  return { seqs, total };
}

it('IOP-03, OFF-21: any search finds what a look at every record finds, in its order and page by page, whichever way the index goes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fact, { maxLength: 14 }),
      fc.array(asked, { maxLength: 3 }),
      sort,
      fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
      async (facts, questions, keys, only) => {
        const visibility: Visibility =
          only === undefined
            ? { kind: 'all' }
            : { kind: 'patient', patient: `p${only}`, includeUnowned: false };
        const context = { tokenizer, baseUrl: BASE, visibility, visibilityOf: () => visibility };
        const parameters: Parameter[] = questions.map(({ parameter }) => parameter);
        if (keys !== '') parameters.push(['_sort', keys]);
        const patients = [0, 1, 2].map((number) =>
          changeOf(
            { resourceType: 'Patient', id: `p${number}`, identifier: [{ value: `n${number}` }] },
            number + 1,
            [`p${number}`],
          ),
        );
        const changes = facts.map((one, at) =>
          changeOf(resourceOf(one, `o${at + 10}`), at + 10, [`p${one.patient}`]),
        );
        const expected = ordered(
          facts
            .map((one, at) => [one, at + 10] as const)
            .filter(([one]) => only === undefined || one.patient === only)
            .filter(([one]) => questions.every(({ holds }) => holds(one))),
          keys,
        );
        for (const fewMax of [0, 5, 1_000]) {
          const index = IndexStore.inMemory(fewMax);
          await index.apply([...patients, ...changes]);
          const { seqs, total } = await allPages(index, parameters, context);
          expect(seqs).toEqual(expected);
          expect(total).toBe(expected.length);
          await index.close();
        }
      },
    ),
    { numRuns: 150 },
  );
}, 30_000);
