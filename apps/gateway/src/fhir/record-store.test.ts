import { isResource, type LosslessResource, parseLossless } from '@careledger/fhir';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FhirError } from './fhir-error.ts';
import { observationText, PATIENT, TestWorld } from './testing.ts';

let world: TestWorld;
let patient: string;
beforeAll(async () => {
  world = await TestWorld.open();
  patient = await world.create(PATIENT);
});
afterAll(() => world.remove());

function tree(text: string): LosslessResource {
  const value = parseLossless(text);
  if (!isResource(value)) throw new Error('no resource');
  return value;
}

function write(about: string, id = crypto.randomUUID()): Promise<number> {
  return world.store.transaction(async (transaction) => {
    const stored = await transaction.write(tree(observationText(about)), { id, actor: 'test' });
    return stored.seq;
  });
}

it('works that wait together share a transaction; the one that fails is undone alone', async () => {
  const before = await world.vault.lastSeq();
  const outcomes = await Promise.allSettled([write(patient), write('nobody'), write(patient)]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(outcomes[1]?.status === 'rejected' && outcomes[1].reason).toBeInstanceOf(FhirError);
  const seqs = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  expect(seqs).toEqual([before + 1, before + 2]);
  expect(await world.vault.lastSeq()).toBe(before + 2);
  expect(await world.index.appliedSeq()).toBe(before + 2);
});

it('a work that searches sees what works before it in line have written', async () => {
  const first = write(patient);
  const seen = world.store.transaction(() => world.index.appliedSeq(), { searches: true });
  expect(await seen).toBe(await first);
});

it('what runs thereafter finds the work durable and the index up to it', async () => {
  let seen: readonly number[] = [];
  const seq = await world.store.transaction(
    async (transaction) =>
      (
        await transaction.write(tree(observationText(patient)), {
          id: crypto.randomUUID(),
          actor: 'test',
        })
      ).seq,
    {
      thereafter: async () => {
        seen = [await world.vault.lastSeq(), await world.index.appliedSeq()];
      },
    },
  );
  expect(seen).toEqual([seq, seq]);
});
