import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { acknowledgements, disclosureAnchors } from '@careledger/capabilities';
import {
  BATCH_ENTRIES_MAX,
  type JournalEntry,
  type JournalWrite,
  RECORD_BYTES,
  SEALED_BYTES,
} from '@careledger/custody';
import { organizationId, type PublicKey, sha256, signerFromSeed } from '@careledger/primitives';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decrypt, encrypt } from '../../keystore/index.ts';
import { createLedgerWriter } from '../ledger-writer.ts';
import { createMemoryLedger, type MemoryLedger } from '../testing/memory-ledger.ts';
import { Anchoring } from './anchoring.ts';
import { Journal } from './journal.ts';

const hospital = organizationId('general-hospital');
const clinic = organizationId('city-clinic');
const key = randomBytes(32);
const keystore = {
  wrap: (_name: string, secret: Uint8Array, context: Uint8Array) => encrypt(key, secret, context),
  unwrap: (_name: string, wrapped: Uint8Array, context: Uint8Array) => decrypt(key, wrapped, context),
};
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const signer = signerFromSeed(sha256(key));

/** Entries of the test of memory. */
const REFUSALS = 5_000;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let folder: string;
let file: string;
let journal: Journal;

function writeOf(subject: string, changes: Partial<JournalEntry> = {}): JournalWrite {
  return {
    salt: random(32),
    entry: {
      kind: 'careledger/journal-entry/1',
      id: random(16),
      event: 'refusal',
      time: 1_000,
      organization: hospital,
      counterpart: clinic,
      purpose: 'TREAT',
      ruleIds: [],
      subjects: [subject],
      description: [],
      withheld: 0,
      late: false,
      ...changes,
    },
  };
}

const openJournal = (): Promise<Journal> =>
  Journal.open({ folder, indexFolder: join(folder, 'vault'), keystore, random });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'careledger-journal-'));
  file = join(folder, 'disclosures.journal');
  journal = await openJournal();
});
afterEach(async () => {
  await journal.close().catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
});

describe('the journal file', () => {
  test('appends that wait together are synced together, in order, in records of one length', async () => {
    const written = await Promise.all(
      Array.from({ length: 50 }, (_, index) => journal.append(writeOf(`patient-${index}`))),
    );
    expect(written.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    const bytes = await readFile(file);
    expect(bytes.length).toBe(50 * RECORD_BYTES);
    expect(bytes.includes('patient-7')).toBe(false);
    expect(SEALED_BYTES).toBeLessThan(RECORD_BYTES);
  });

  test('what was synced is there after a crash; a torn last record is cut off', async () => {
    await journal.append(writeOf('patient-1'));
    const { sequence } = await journal.append(writeOf('patient-2', { reason: 'policy/denied' }));
    await journal.close();
    for (const torn of [1, RECORD_BYTES - 1]) {
      await appendFile(file, randomBytes(torn));
      journal = await openJournal();
      expect(journal.length).toBe(2);
      expect((await journal.read(sequence)).entry).toMatchObject({ reason: 'policy/denied' });
      expect(journal.entriesOf('patient-2')).toHaveLength(1);
      await journal.close();
    }
    await appendFile(file, Buffer.alloc(RECORD_BYTES));
    journal = await openJournal();
    expect(journal.length).toBe(2);
  });

  test('PRIV-26: a flipped bit is found when the journal is opened, and the record named', async () => {
    for (let index = 0; index < 3; index += 1) await journal.append(writeOf('patient-1'));
    await journal.close();
    const bytes = await readFile(file);
    bytes[RECORD_BYTES + 300] = (bytes[RECORD_BYTES + 300] ?? 0) ^ 1;
    await writeFile(file, bytes);
    await expect(openJournal()).rejects.toMatchObject({
      code: 'journal/altered',
      message: expect.stringContaining('Record 1'),
    });
  });

  test('a record left out in the middle is found', async () => {
    for (let index = 0; index < 3; index += 1) await journal.append(writeOf('patient-1'));
    await journal.close();
    const bytes = await readFile(file);
    await writeFile(file, Buffer.concat([bytes.subarray(0, RECORD_BYTES), bytes.subarray(2 * RECORD_BYTES)]));
    await expect(openJournal()).rejects.toMatchObject({ code: 'journal/altered' });
  });
});

describe('PRIV-05: the journal’s index', () => {
  const indexFile = (): string => join(folder, 'vault', 'journal-index.sqlite');
  const found = (subject: string): readonly number[] =>
    journal.entriesOf(subject).map(({ sequence }) => sequence);

  test('finds entries by patient and by commitment, whoever is named first', async () => {
    await journal.append(writeOf('patient-1'));
    const { commitment } = await journal.append(
      writeOf('patient-2', { subjects: ['patient-2', 'patient-1'] }),
    );
    expect([found('patient-1'), found('patient-2'), found('patient')]).toEqual([[0, 1], [1], []]);
    expect(journal.byCommitment(commitment)?.subjects).toEqual(['patient-2', 'patient-1']);
    expect(journal.byCommitment(random(32))).toBeUndefined();
  });

  test('is built anew from the file when it is missing', async () => {
    const { sequence } = await journal.append(writeOf('patient-1'));
    await journal.append(writeOf('patient-2'));
    await journal.close();
    await rm(join(folder, 'vault'), { recursive: true });
    journal = await openJournal();
    expect(found('patient-1')).toEqual([sequence]);
    expect(journal.pending('anchor', 10)).toHaveLength(2);
  });

  test('catches up when a crash lost its newest entries', async () => {
    await journal.append(writeOf('patient-1'));
    await journal.close();
    const before = await readFile(indexFile());
    journal = await openJournal();
    await journal.append(writeOf('patient-1'));
    await journal.close();
    await writeFile(indexFile(), before);
    journal = await openJournal();
    expect(found('patient-1')).toEqual([0, 1]);
  });

  test('of another journal, or of a longer one, is thrown away', async () => {
    await journal.append(writeOf('patient-1'));
    await journal.append(writeOf('patient-2'));
    await journal.close();
    await truncate(file, RECORD_BYTES);
    journal = await openJournal();
    expect([found('patient-1'), found('patient-2')]).toEqual([[0], []]);
    await journal.close();
    const other = await readFile(indexFile());
    await rm(file);
    await rm(join(folder, 'vault'), { recursive: true });
    journal = await openJournal();
    await journal.append(writeOf('patient-3'));
    await journal.append(writeOf('patient-3'));
    await journal.close();
    await writeFile(indexFile(), other);
    journal = await openJournal();
    expect([found('patient-1'), found('patient-3')]).toEqual([[], [0, 1]]);
  });

  test('SEC-15: refusals without end make the process no larger', { timeout: 60_000 }, async () => {
    const append = async (count: number): Promise<number> => {
      for (let done = 0; done < count; done += 500) {
        await Promise.all(Array.from({ length: 500 }, (_, index) => journal.append(writeOf(`p-${index}`))));
      }
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await append(1_000);
    const after = await append(REFUSALS);
    // One entry that is held in memory takes more than 500 bytes.
    expect((after - before) / REFUSALS).toBeLessThan(150);
    expect(found('p-7')).toHaveLength((1_000 + REFUSALS) / 500);
    expect(journal.pending('anchor', BATCH_ENTRIES_MAX)).toHaveLength(BATCH_ENTRIES_MAX);
  });
});

describe('anchoring the journal', () => {
  let ledger: MemoryLedger;

  beforeEach(() => {
    ledger = createMemoryLedger({
      organizations: [{ organization: hospital, entityType: 'provider', encryptionKey: random(32) }],
      keys: [
        {
          publicKey: signerFromSeed(random(32)).publicKey as PublicKey,
          organization: hospital,
          roles: ['administrator'],
        },
        { publicKey: signer.publicKey as PublicKey, organization: hospital, roles: ['custodian'] },
      ],
    });
  });
  afterEach(() => ledger.stop());

  function anchoringOf(opened: Journal): Anchoring {
    const writer = createLedgerWriter({ ledger, signer, now: Date.now, random });
    const onFailure = (): void => undefined;
    return new Anchoring({ journal: opened, ledger, writer, organization: hospital, random, onFailure });
  }

  test('PRIV-05: every entry stands under exactly one root, receipts under the recipient’s list as well', async () => {
    await journal.append(writeOf('patient-1'));
    await journal.append(writeOf('patient-1', { event: 'receipt', counterpartEntry: random(32) }));
    const anchoring = anchoringOf(journal);
    await anchoring.flush();
    await anchoring.flush();
    expect(disclosureAnchors.count(ledger, hospital)).toBe(1);
    expect(acknowledgements.count(ledger, hospital)).toBe(1);
    const anchor = disclosureAnchors.read(ledger, hospital, 0);
    expect(anchor?.size).toBe(8);
    const batch = journal.batchOf(0);
    expect(batch && anchoring.indexOf(batch)).toBe(0);
    await journal.append(writeOf('patient-2'));
    await anchoring.flush();
    expect(disclosureAnchors.count(ledger, hospital)).toBe(2);
  });

  test('without a quorum the journal goes on; its roots follow, each once, also over a restart', async () => {
    await journal.append(writeOf('patient-1'));
    ledger.pause(true);
    await expect(anchoringOf(journal).flush()).rejects.toMatchObject({ code: 'exchange/ledger-unavailable' });
    await journal.append(writeOf('patient-2'));
    await journal.close();
    ledger.pause(false);
    journal = await openJournal();
    const anchoring = anchoringOf(journal);
    anchoring.checkAgainstLedger();
    await anchoring.flush();
    expect(disclosureAnchors.count(ledger, hospital)).toBe(2);
    expect(journal.pending('anchor', 10)).toEqual([]);
  });

  test('PRIV-26: a journal that was cut at a record’s end is found by what the ledger anchors', async () => {
    await journal.append(writeOf('patient-1'));
    await anchoringOf(journal).flush();
    await journal.close();
    await truncate(file, RECORD_BYTES);
    journal = await openJournal();
    expect(() => anchoringOf(journal).checkAgainstLedger()).toThrow(
      expect.objectContaining({ code: 'journal/truncated' }),
    );
  });
});
