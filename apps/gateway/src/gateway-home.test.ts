import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestGateway, type TestGateway } from './documents/testing.ts';
import { PATIENT } from './fhir/testing.ts';

let at: TestGateway;
beforeEach(async () => {
  at = await openTestGateway();
});
afterEach(() => at.close());

/** A patient and an anchored version of the patient. */
async function writeAnchored(): Promise<string> {
  const { store, outbox } = at.gateway.context;
  const id = crypto.randomUUID();
  await store.transaction(async (transaction) => {
    await transaction.write(PATIENT as never, { id, actor: 'test' });
  });
  await outbox.settled();
  return id;
}

describe('a gateway’s home', () => {
  it('is one process’s alone: a second gateway is refused, and what the first holds is untouched', async () => {
    const id = await writeAnchored();
    await expect(at.open()).rejects.toMatchObject({ code: 'gateway/in-use' });
    expect(await at.gateway.context.vault.current({ type: 'Patient', id })).toBeDefined();
    await at.gateway.stop();
    at.gateway = await at.open();
    await at.gateway.start();
    expect(await at.gateway.context.vault.current({ type: 'Patient', id })).toBeDefined();
  });

  it('OFF-08: a vault that was put back as a whole is refused: the ledger knows what it has forgotten', async () => {
    await writeAnchored();
    await at.gateway.stop();
    const vault = join(at.home, 'gateway', 'vault');
    const kept = await mkdtemp(join(tmpdir(), 'careledger-kept-'));
    await cp(vault, join(kept, 'old'), { recursive: true });
    at.gateway = await at.open();
    await at.gateway.start();
    await writeAnchored();
    await at.gateway.stop();
    await cp(vault, join(kept, 'new'), { recursive: true });
    await rm(vault, { recursive: true });
    await cp(join(kept, 'old'), vault, { recursive: true });
    await expect(at.open()).rejects.toMatchObject({ code: 'vault/rolled-back' });
    await rm(vault, { recursive: true });
    await cp(join(kept, 'new'), vault, { recursive: true });
    at.gateway = await at.open();
    await at.gateway.start();
    await rm(kept, { recursive: true });
  });

  it('CRY-02: its keys are rotated and backed up while it serves', async () => {
    const id = await writeAnchored();
    const { keys, context } = at.gateway;
    expect(await keys.rotate({ patient: id })).toEqual({ rotated: 1, rewrapped: 1, unfinished: 0 });
    expect(await keys.rotate('organization')).toMatchObject({ rotated: 1 });
    expect(await keys.rotate('all')).toMatchObject({ rotated: 2, unfinished: 0 });
    const { keys: count, opensUntil } = await keys.backUp(join(at.home, 'keys.backup'));
    expect(count).toBeGreaterThan(2);
    expect(opensUntil).toBeGreaterThan(Date.now());
    await keys.rotateMaster({ kind: 'key-file', path: join(at.home, 'keys', 'keystore.key') });
    expect(await context.vault.current({ type: 'Patient', id })).toBeDefined();
    await at.gateway.stop();
    at.gateway = await at.open();
    await at.gateway.start();
    expect((await at.gateway.verifyVault()).faults).toEqual([]);
  });
});
