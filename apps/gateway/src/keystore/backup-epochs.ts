import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Codec,
  concat,
  fixedBytes,
  fromHex,
  oneOf,
  struct,
  toHex,
  uint,
  utf8,
} from '@careledger/primitives';
import { decrypt, encrypt } from './aead.ts';
import { KeystoreError } from './errors.ts';
import {
  destroyFile,
  lengthPrefix,
  readFileIfPresent,
  readHeader,
  syncFolder,
  writeFileDurably,
} from './key-log.ts';

/** How long an epoch's key exists at most, in milliseconds: no backup brings a key back that was erased before that. */
export const EPOCH_MS_MAX = 7 * 24 * 60 * 60_000;
/** How long an epoch takes new backups: each one opens for at least six days. */
export const EPOCH_BACKUPS_MS = 24 * 60 * 60_000;
const ID_BYTES = 16;
const KEY_BYTES = 32;
const EPOCH_FILE = /^([0-9a-f]{32})\.epoch$/;
const ERASED_FILE = 'erased';

/** A span of days whose backups one key opens. */
export interface BackupEpoch {
  readonly id: Uint8Array;
  readonly key: Uint8Array;
  /** Milliseconds. */
  readonly startedAt: number;
  readonly endsAt: number;
}

const epochCodec: Codec<BackupEpoch> = struct({
  id: fixedBytes(ID_BYTES),
  key: fixedBytes(KEY_BYTES),
  startedAt: uint,
  endsAt: uint,
});

interface BackupHeader {
  readonly kind: 'careledger/keystore-backup/1';
  readonly epoch: Uint8Array;
  readonly createdAt: number;
}

const backupHeaderCodec: Codec<BackupHeader> = struct({
  kind: oneOf(['careledger/keystore-backup/1']),
  epoch: fixedBytes(ID_BYTES),
  createdAt: uint,
});

/**
 * The keys of backup epochs, in a folder that is itself never backed up: when an epoch is over its key is destroyed, and
 * with it what its backups say.
 */
export class BackupEpochs {
  readonly #folder: string;
  readonly #now: () => number;

  constructor(options: { readonly folder: string; readonly now: () => number }) {
    this.#folder = options.folder;
    this.#now = options.now;
  }

  /** The epoch that takes backups now; a new one each day. Destroys those that are over. */
  async current(): Promise<BackupEpoch> {
    await this.expire();
    const now = this.#now();
    const open = (await this.#all()).find(
      ({ startedAt }) => startedAt <= now && now < startedAt + EPOCH_BACKUPS_MS,
    );
    if (open) return open;
    const [id, key] = [randomBytes(ID_BYTES), randomBytes(KEY_BYTES)];
    const epoch = { id, key, startedAt: now, endsAt: now + EPOCH_MS_MAX };
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFileDurably(this.#pathOf(id), epochCodec.encode(epoch));
    return epoch;
  }

  /** An epoch that is not over. */
  async find(id: Uint8Array): Promise<BackupEpoch | undefined> {
    await this.expire();
    return this.#read(this.#pathOf(id));
  }

  /** When the last backup that exists now will open no more; `undefined` when none does. */
  async lastEnd(): Promise<number | undefined> {
    await this.expire();
    const ends = (await this.#all()).map(({ endsAt }) => endsAt);
    return ends.length === 0 ? undefined : Math.max(...ends);
  }

  /** Destroys the keys of epochs that are over: overwritten, then removed. @returns How many. */
  async expire(): Promise<number> {
    const over = (await this.#all()).filter(({ endsAt }) => endsAt <= this.#now());
    for (const { id } of over) await destroyFile(this.#pathOf(id));
    if (over.length > 0) await this.#forgetErased();
    return over.length;
  }

  /** Writes down which keys were erased, by their own random ids, for as long as a backup may hold them. */
  async noteErased(keyIds: readonly string[]): Promise<void> {
    const until = await this.lastEnd();
    if (until === undefined) return;
    const path = join(this.#folder, ERASED_FILE);
    await appendFile(path, keyIds.map((keyId) => `${until} ${keyId}\n`).join(''), {
      mode: 0o600,
      flush: true,
    });
    await syncFolder(path);
  }

  /** Ids of the keys that no restore may bring back. */
  async erased(): Promise<ReadonlySet<string>> {
    return new Set((await this.#erasedLines()).map(({ keyId }) => keyId));
  }

  async #erasedLines(): Promise<readonly { readonly until: number; readonly keyId: string }[]> {
    const bytes = await readFileIfPresent(join(this.#folder, ERASED_FILE));
    const lines = bytes ? Buffer.from(bytes).toString('utf8').split('\n') : [];
    return lines.flatMap((line) => {
      const [until = '', keyId = ''] = line.split(' ');
      return fromHex(keyId)?.length ? [{ until: Number(until), keyId }] : [];
    });
  }

  async #forgetErased(): Promise<void> {
    const lines = await this.#erasedLines();
    const kept = lines.filter(({ until }) => until > this.#now());
    if (kept.length === lines.length) return;
    const text = kept.map(({ until, keyId }) => `${until} ${keyId}\n`).join('');
    await writeFileDurably(join(this.#folder, ERASED_FILE), utf8(text));
  }

  async #all(): Promise<readonly BackupEpoch[]> {
    const names = await readdir(this.#folder).catch(() => []);
    const read = await Promise.all(
      names.filter((name) => EPOCH_FILE.test(name)).map((name) => this.#read(join(this.#folder, name))),
    );
    return read.filter((epoch) => epoch !== undefined);
  }

  async #read(path: string): Promise<BackupEpoch | undefined> {
    const bytes = await readFileIfPresent(path);
    try {
      return bytes && epochCodec.decode(new Uint8Array(bytes));
    } catch (cause) {
      throw new KeystoreError('keystore/altered', 'the key of a backup epoch is altered', { cause });
    }
  }

  #pathOf(id: Uint8Array): string {
    return join(this.#folder, `${toHex(id)}.epoch`);
  }
}

/** A backup's file: `{length, header}`, then the records encrypted under the epoch's key, bound to the header. */
export function encodeBackup(backup: {
  readonly epoch: BackupEpoch;
  readonly createdAt: number;
  readonly records: readonly Uint8Array[];
}): Uint8Array {
  const { epoch, createdAt, records } = backup;
  const header = backupHeaderCodec.encode({
    kind: 'careledger/keystore-backup/1',
    epoch: epoch.id,
    createdAt,
  });
  const plaintext = concat(...records.flatMap((record) => [lengthPrefix(record.length), record]));
  return concat(lengthPrefix(header.length), header, encrypt(epoch.key, plaintext, header));
}

export interface DecodedBackup {
  readonly records: readonly Uint8Array[];
  readonly createdAt: number;
}

/** @throws {@link KeystoreError} `keystore/epoch-gone`, `keystore/backup-altered`. */
export async function decodeBackup(
  file: Uint8Array,
  findEpoch: (id: Uint8Array) => Promise<BackupEpoch | undefined>,
): Promise<DecodedBackup> {
  const headerBytes = readHeader(file);
  const header = headerBytes && parseBackupHeader(headerBytes);
  if (!headerBytes || !header) throw alteredBackup();
  const epoch = await findEpoch(header.epoch);
  if (!epoch) throw new KeystoreError('keystore/epoch-gone', 'the epoch of this backup is over');
  const sealed = file.subarray(lengthPrefix(0).length + headerBytes.length);
  const plaintext = decrypt(epoch.key, sealed, headerBytes);
  if (!plaintext) throw alteredBackup();
  return { records: recordsIn(plaintext), createdAt: header.createdAt };
}

function recordsIn(plaintext: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  const records: Uint8Array[] = [];
  for (let offset = 0; offset < plaintext.length; ) {
    const end = offset + 4 + view.getUint32(offset);
    records.push(plaintext.subarray(offset + 4, end));
    offset = end;
  }
  return records;
}

function parseBackupHeader(bytes: Uint8Array): BackupHeader | undefined {
  try {
    return backupHeaderCodec.decode(new Uint8Array(bytes));
  } catch {
    return undefined;
  }
}

function alteredBackup(): KeystoreError {
  return new KeystoreError('keystore/backup-altered', 'this is no backup of a keystore, or it is altered');
}
