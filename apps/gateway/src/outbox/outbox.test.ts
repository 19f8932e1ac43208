import { anchorRecordsCodec, successorOf } from '@careledger/capabilities';
import { decodeReceipt, decodeTransaction, encodeReceipt, verifyReceipt } from '@careledger/ledger';
import { equalBytes, utf8, verifySignature } from '@careledger/primitives';
import { afterEach, describe, expect, it } from 'vitest';
import type { MemoryLedger } from '../exchange/testing/memory-ledger.ts';
import { observationText, PATIENT, TestWorld } from '../fhir/testing.ts';
import { BATCH_LEAVES_MAX, composeBatch, padRetirements } from './anchor-batch.ts';
import { CRITICAL_ANCHORED_WITHIN_MS } from './outbox.ts';

const open: TestWorld[] = [];
async function world(options: Parameters<typeof TestWorld.open>[0] = {}): Promise<TestWorld> {
  const opened = await TestWorld.open(options);
  open.push(opened);
  return opened;
}
afterEach(async () => {
  for (const each of open.splice(0)) await each.remove().catch(() => {});
});

/** Anchors in all blocks. */
function anchors(ledger: MemoryLedger) {
  const found = [];
  for (let height = 1; height <= ledger.head().header.height; height += 1) {
    const block = ledger.block(height);
    for (const [index, bytes] of (block?.transactions ?? []).entries()) {
      const transaction = decodeTransaction(bytes);
      if (!transaction.ok || transaction.value.payload.type !== 'records/anchor') continue;
      found.push({
        code: block?.results[index]?.code,
        message: anchorRecordsCodec.decode(transaction.value.payload.body),
      });
    }
  }
  return found;
}

describe('every version is anchored, exactly once', () => {
  it('LED-16: a receipt proves a record by its commitment alone; who has record and salt opens it', async () => {
    const at = await world();
    await at.outbox.start();
    const patient = await at.create(PATIENT);
    const id = await at.create(JSON.parse(observationText(patient)));
    await at.outbox.settled();
    const receipt = await at.outbox.receiptOf({ type: 'Observation', id, version: 1 });
    if (!receipt) throw new Error('no receipt');
    const decoded = decodeReceipt(encodeReceipt(receipt));
    if (!decoded.ok) throw new Error(decoded.error.detail);
    const stored = await at.vault.version({ type: 'Observation', id, version: 1 });
    if (!stored) throw new Error('not stored');
    const check = (text: string) =>
      verifyReceipt({
        receipt: decoded.value,
        expectedChain: at.ledger.chain,
        verifySignature,
        opening: { salt: stored.salt, record: utf8(text) },
      });
    expect(check(stored.text)).toMatchObject({ ok: true, value: { opened: true } });
    expect(check(stored.text.replace('1.1', '1.2'))).toMatchObject({
      ok: false,
      error: { code: 'commitment' },
    });
    expect(await at.outbox.metrics()).toMatchObject({ waiting: 0, lagMs: 0 });
  });

  it('LED-18: equal records have different commitments, and nothing on the ledger repeats', async () => {
    const at = await world();
    await at.outbox.start();
    const ids = [await at.create(PATIENT), await at.create(PATIENT)];
    await at.outbox.settled();
    const receipts = await Promise.all(
      ids.map((id) => at.outbox.receiptOf({ type: 'Patient', id, version: 1 })),
    );
    const [one, two] = receipts.map((receipt) => receipt?.leaf.commitment ?? new Uint8Array());
    expect(equalBytes(one as Uint8Array, two as Uint8Array)).toBe(false);
  });

  it('LED-26: after a correction and a deletion the original still has its proof, and what replaced it is proven', async () => {
    const at = await world();
    await at.outbox.start();
    const patient = await at.create(PATIENT);
    const id = await at.create(JSON.parse(observationText(patient)));
    await at.outbox.settled();
    const body = { ...JSON.parse(observationText(patient)), id, status: 'corrected' };
    await at.request('PUT', `Observation/${id}`, { body });
    await at.request('DELETE', `Observation/${id}`);
    await at.outbox.settled();
    const history = await at.vault.history({ type: 'Observation', id, countMax: 10 });
    const [tombstone, corrected, original] = history;
    const successor = async (version: number) =>
      (await at.outbox.retirementOf({ type: 'Observation', id, version }))?.value;
    expect(await successor(1)).toEqual(corrected?.leafHash);
    expect(await successor(2)).toEqual(tombstone?.leafHash);
    for (const version of [1, 2]) {
      const receipt = await at.outbox.receiptOf({ type: 'Observation', id, version });
      if (!receipt) throw new Error('no receipt');
      const { chain } = at.ledger;
      expect(verifyReceipt({ receipt, expectedChain: chain, verifySignature }).ok).toBe(true);
      if (version === 2) expect(receipt.leaf.supersedes).toEqual(original?.leafHash);
    }
    expect(await at.outbox.receiptOf({ type: 'Observation', id, version: 3 })).toBeUndefined();
    // Brought back by another append, which supersedes the tombstone.
    await at.request('PUT', `Observation/${id}`, { body });
    await at.outbox.settled();
    const back = await at.outbox.receiptOf({ type: 'Observation', id, version: 4 });
    expect(back?.leaf.supersedes).toEqual(tombstone?.leafHash);
    expect(await successor(4)).toBeUndefined();
  });

  it('OFF-02: an anchor holds a root and retirements, padded: their number says neither records nor changes', async () => {
    const at = await world();
    await at.outbox.start();
    const patient = await at.create(PATIENT);
    await at.request('PUT', `Patient/${patient}`, { body: { ...PATIENT, id: patient } });
    await at.outbox.settled();
    const receipt = await at.outbox.receiptOf({ type: 'Patient', id: patient, version: 2 });
    const size = receipt?.leafProof.size ?? 0;
    expect(Math.log2(size) % 1).toBe(0);
    for (const { message } of anchors(at.ledger)) {
      expect(Object.keys(message).sort()).toEqual(['retirements', 'root']);
      expect([0, 8, 64, 512]).toContain(message.retirements.length);
    }
  });

  it('many versions share few anchors', async () => {
    const at = await world();
    for (let count = 0; count < 260; count += 1) {
      await at.create({ resourceType: 'Organization', name: `Practice ${count}` });
    }
    await at.outbox.start();
    await at.outbox.settled();
    expect(anchors(at.ledger).length).toBe(2);
    expect((await at.outbox.metrics()).anchoredBatches).toBe(2);
  });
});

describe('OFF-17: what is critical comes first', () => {
  const allergy = (patient: string): object => ({
    resourceType: 'AllergyIntolerance',
    clinicalStatus: {
      coding: [
        { system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' },
      ],
    },
    patient: { reference: `Patient/${patient}` },
  });

  /** The batch of each version that waits or waited, by type. */
  async function batchesOf(at: TestWorld, type: string): Promise<readonly (number | null)[]> {
    const rows = at.vault.reader.selectFrom('version').select('batch').where('type', '=', type);
    return (await rows.orderBy('seq').execute()).map(({ batch }) => batch);
  }

  it('a critical version is in the first batch sealed, whatever waits before it; the batch looks like any other', async () => {
    const at = await world();
    const patient = await at.create(PATIENT);
    for (let count = 0; count < BATCH_LEAVES_MAX + 10; count += 1) {
      await at.create({ resourceType: 'Organization', name: `Practice ${count}` });
    }
    const id = await at.create(allergy(patient));
    await at.outbox.start();
    await at.outbox.settled();
    expect(await batchesOf(at, 'AllergyIntolerance')).toEqual([1]);
    expect((await batchesOf(at, 'Organization')).at(-1)).toBe(2);
    const receipt = await at.outbox.receiptOf({ type: 'AllergyIntolerance', id, version: 1 });
    const sizes = anchors(at.ledger).map(({ message }) => message.retirements.length);
    // In the vault's order, not at the head of the tree: its place says nothing of its class.
    expect([receipt?.leafProof.size, receipt?.leafProof.index]).toEqual([
      BATCH_LEAVES_MAX,
      BATCH_LEAVES_MAX - 1,
    ]);
    expect(new Set(sizes)).toEqual(new Set([0]));
  });

  it('it does not wait for others to share its batch, and is anchored within its objective', async () => {
    const at = await world({ outbox: { batchWaitMs: 60_000 } });
    await at.outbox.start();
    const patient = await at.create(PATIENT);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await batchesOf(at, 'Patient')).toEqual([null]);
    const since = Date.now();
    const id = await at.create(allergy(patient));
    const key = { type: 'AllergyIntolerance', id, version: 1 };
    while (!(await at.outbox.receiptOf(key)) && Date.now() - since <= CRITICAL_ANCHORED_WITHIN_MS) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await at.outbox.receiptOf(key)).toBeDefined();
    expect((await at.outbox.metrics()).criticalLagMs).toBe(0);
  });

  it('shows the lag of what is critical apart from the lag of all', async () => {
    const at = await world({ outbox: { now: () => Date.now() + 5_000 } });
    const patient = await at.create(PATIENT);
    expect(await at.outbox.metrics()).toMatchObject({ waiting: 1, criticalLagMs: 0 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await at.create(allergy(patient));
    const { lagMs, criticalLagMs } = await at.outbox.metrics();
    expect(criticalLagMs).toBeGreaterThanOrEqual(5_000);
    expect(lagMs).toBeGreaterThan(criticalLagMs);
  });
});

describe('without a quorum and across crashes', () => {
  it('charting goes on while the ledger stands still; the lag is shown, anchoring follows', async () => {
    const at = await world();
    await at.outbox.start();
    at.ledger.pause(true);
    const id = await at.create(PATIENT);
    expect((await at.request('GET', `Patient/${id}`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const waiting = await at.outbox.metrics();
    expect(waiting.waiting).toBe(1);
    expect(waiting.lagMs).toBeGreaterThan(20);
    at.ledger.pause(false);
    await at.outbox.settled();
    expect(anchors(at.ledger).map(({ code }) => code)).toEqual([0]);
  });

  it.each(['signed', 'submitted'] as const)(
    'a crash after %s anchors once, after the restart',
    async (where) => {
      const crash = (name: string): void => {
        if (name === where) throw Object.assign(new Error('crash'), { code: 'crash' });
      };
      const first = await world({ outbox: { failpoint: crash } });
      await first.outbox.start();
      const id = await first.create(PATIENT);
      await first.request('PUT', `Patient/${id}`, { body: { ...PATIENT, id } });
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect((await first.outbox.metrics()).waiting).toBe(2);
      await first.close();
      open.splice(open.indexOf(first), 1);
      const second = await world({ home: first.home, ledger: first.ledger });
      await second.outbox.start();
      await second.outbox.settled();
      const batches = await second.vault.reader.selectFrom('batch').selectAll().execute();
      const made = anchors(second.ledger);
      expect([made.length, made.every(({ code }) => code === 0)]).toEqual([batches.length, true]);
      for (const version of [1, 2]) {
        expect(await second.outbox.receiptOf({ type: 'Patient', id, version })).toBeDefined();
      }
    },
  );
});

describe('padding', () => {
  const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

  it.each([
    [0, 0],
    [1, 8],
    [8, 8],
    [9, 64],
    [65, 512],
  ])('%i retirements go out as %i, none of them lost', (count, size) => {
    const retirements = Array.from({ length: count }, () => ({
      retireSecret: random(32),
      successor: random(32),
    }));
    const padded = padRetirements(retirements, random);
    expect(padded.length).toBe(size);
    for (const each of retirements) expect(padded).toContainEqual(each);
  });

  it('deletions alone make an anchor whose root looks like any other', () => {
    const deletion = {
      seq: 1,
      deleted: true,
      leaf: random(8),
      leafHash: random(32),
      retireSecret: random(32),
    };
    const { body, proofs } = composeBatch([deletion], random);
    expect(proofs.size).toBe(0);
    expect(anchorRecordsCodec.decode(body).retirements.length).toBe(8);
  });
});

it('LED-27: a copied retirement secret does nothing under another organization’s signature', async () => {
  const at = await world();
  await at.outbox.start();
  const id = await at.create(PATIENT);
  await at.outbox.settled();
  const stored = await at.vault.version({ type: 'Patient', id, version: 1 });
  const receipt = await at.outbox.receiptOf({ type: 'Patient', id, version: 1 });
  if (!stored || !receipt) throw new Error('not anchored');
  const { retireKeyOf } = await import('@careledger/ledger');
  const { organizationId } = await import('@careledger/primitives');
  const { retireSecret } = stored;
  const foreign = retireKeyOf({ organization: organizationId('city-clinic'), retireSecret });
  expect(equalBytes(foreign, receipt.leaf.retireKey)).toBe(false);
  expect(successorOf(at.ledger, receipt.leaf.retireKey)).toBeUndefined();
});
