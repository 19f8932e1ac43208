import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Signer, signerFromSeed } from '@careledger/primitives';
import { decrypt, encrypt } from './aead.ts';
import { BackupEpochs, encodeBackup } from './backup-epochs.ts';
import { KeystoreError } from './errors.ts';
import {
  destroyFile,
  KeyLog,
  readFileIfPresent,
  readHeader,
  readRecords,
  writeFileDurably,
} from './key-log.ts';
import {
  encodeKeys,
  type HeldKey,
  type HeldKeys,
  KEYS_FILE,
  newKey,
  recordCodec,
  replay,
} from './key-records.ts';
import { keyedHash } from './keyed-hash.ts';
import type {
  BackupReport,
  KeyEvent,
  KeyName,
  KeyOperation,
  KeyPurpose,
  Keystore,
  KeystoreDescription,
  SealedBoxKey,
} from './keystore.ts';
import { isRotatable, purposeOf } from './keystore.ts';
import {
  type KeystoreSecret,
  masterKey,
  newHeader,
  newMasterKey,
  parseHeader,
  stageMasterKey,
} from './master-key.ts';
import { sealedBoxFromSeed } from './sealed-box.ts';

/**
 * Wraps under one version of a key in one process. Nonces are random: after 2^32 of them, two alike are still less
 * likely than 2^-32 (NIST SP 800-38D, section 8.3).
 */
export const WRAPS_MAX = 2 ** 32;
/** Keys appended with one sync at most. */
const BATCH_KEYS_MAX = 4_096;

export interface FileKeystoreOptions {
  /** Folder of the keystore, apart from the vault. Made when missing. */
  readonly folder: string;
  readonly secret: KeystoreSecret;
  /** Hears of every use of a key. It must not throw. */
  readonly audit?: (event: KeyEvent) => void;
  readonly now?: () => number;
  /** Folder of the backup epochs' keys, apart from the keystore and from the backups. */
  readonly epochs?: string;
  /** {@link WRAPS_MAX} unless given. */
  readonly wrapsMax?: number;
}

class FileKeystore implements Keystore {
  #master: Uint8Array;
  #secret: KeystoreSecret;
  readonly #audit: (event: KeyEvent) => void;
  readonly #now: () => number;
  readonly #wrapsMax: number;
  readonly #epochs: BackupEpochs;
  readonly #keys: HeldKeys;
  #log: KeyLog;
  #turn: Promise<void> = Promise.resolve();

  constructor(log: KeyLog, master: Uint8Array, keys: HeldKeys, options: FileKeystoreOptions) {
    this.#log = log;
    this.#master = master;
    this.#keys = keys;
    this.#secret = options.secret;
    this.#audit = options.audit ?? (() => {});
    this.#now = options.now ?? Date.now;
    this.#wrapsMax = options.wrapsMax ?? WRAPS_MAX;
    this.#epochs = epochsOf(options);
  }

  describe(): KeystoreDescription {
    const protection =
      this.#secret.kind === 'passphrase'
        ? 'AES-256-GCM under a key from a passphrase (scrypt)'
        : 'AES-256-GCM under a key file (mode 0600)';
    return {
      kind: 'file',
      grade: 'development',
      protection,
      statement:
        'Development-grade: keys stand in this process’s memory while it runs, and whoever has the file and its ' +
        'secret has them all. Use a hardware module or a key service for patients’ real records.',
    };
  }

  has(name: KeyName): boolean {
    return this.#keys.has(name);
  }

  async ensure(names: readonly KeyName[]): Promise<void> {
    if (names.every((name) => this.#keys.has(name))) return;
    await this.#inTurn(async () => {
      const missing = [...new Set(names)].filter((name) => !this.#keys.has(name));
      for (let start = 0; start < missing.length; start += BATCH_KEYS_MAX) {
        await this.#add(missing.slice(start, start + BATCH_KEYS_MAX));
      }
    });
  }

  async #add(names: readonly KeyName[]): Promise<void> {
    const made = names.map(newKey);
    await this.#log.append(made.map((held) => recordCodec.encode(held.record)));
    for (const held of made) {
      const { name } = held.record;
      const before = this.#keys.get(name) ?? [];
      this.#keys.set(name, [held, ...before]);
      this.#report(before.length === 0 ? 'make' : 'rotate', held);
    }
  }

  rotatable(): readonly KeyName[] {
    return [...this.#keys.keys()].filter(isRotatable);
  }

  rotating(): readonly KeyName[] {
    return [...this.#keys].flatMap(([name, versions]) => (versions.length > 1 ? [name] : []));
  }

  async rotate(names: readonly KeyName[]): Promise<void> {
    if (!names.every(isRotatable)) throw new KeystoreError('keystore/purpose', 'this key is not rotated');
    await this.#inTurn(async () => {
      const known = [...new Set(names)].filter((name) => this.#keys.get(name)?.length === 1);
      for (let start = 0; start < known.length; start += BATCH_KEYS_MAX) {
        await this.#add(known.slice(start, start + BATCH_KEYS_MAX));
      }
    });
  }

  rewrap(name: KeyName, wrapped: Uint8Array, context: Uint8Array): Uint8Array | 'current' | 'altered' {
    const [newest, ...old] = this.#held(name, 'wrapping');
    if (newest && decrypt(newest.bytes, wrapped, context)) return 'current';
    for (const held of old) {
      const secret = decrypt(held.bytes, wrapped, context);
      if (secret) return this.wrap(name, secret, context);
    }
    return 'altered';
  }

  async retireOld(names: readonly KeyName[]): Promise<void> {
    await this.#inTurn(async () => {
      const retired = names.flatMap((name) => this.#keys.get(name)?.slice(1) ?? []);
      if (retired.length === 0) return;
      for (const { record } of retired) {
        this.#keys.set(record.name, this.#keys.get(record.name)?.slice(0, 1) ?? []);
      }
      await this.#destroy(retired, 'retire');
    });
  }

  async rotateMaster(secret: KeystoreSecret): Promise<void> {
    await this.#inTurn(async () => {
      const { master, header, finish } = await stageMasterKey(secret);
      // The rename inside is the moment from which the new secret opens the keystore, and the old one no more.
      const next = await KeyLog.create(this.#log.path, master, header, encodeKeys(this.#keys.values()));
      await this.#log.close();
      this.#log = next;
      await finish();
      const before = this.#secret;
      const isReplaced =
        secret.kind === 'key-file' && before.kind === 'key-file' && secret.path === before.path;
      if (before.kind === 'key-file' && !isReplaced) await destroyFile(before.path);
      this.#master.fill(0);
      this.#master = master;
      this.#secret = secret;
    });
  }

  async backUp(path: string): Promise<BackupReport> {
    return this.#inTurn(async () => {
      const epoch = await this.#epochs.current();
      const createdAt = this.#now();
      const keys = [...this.#keys.values()];
      await writeFileDurably(path, encodeBackup({ epoch, createdAt, records: encodeKeys(keys) }));
      for (const held of keys.flat()) this.#report('back up', held);
      return { keys: keys.length, createdAt, opensUntil: epoch.endsAt };
    });
  }

  wrap(name: KeyName, secret: Uint8Array, context: Uint8Array): Uint8Array {
    const held = this.#use(name, 'wrapping', 'wrap');
    if (held.wraps >= this.#wrapsMax) {
      throw new KeystoreError('keystore/worn', 'a key has wrapped as often as it may');
    }
    held.wraps += 1;
    return encrypt(held.bytes, secret, context);
  }

  unwrap(name: KeyName, wrapped: Uint8Array, context: Uint8Array): Uint8Array | undefined {
    for (const held of this.#held(name, 'wrapping')) {
      this.#report('unwrap', held);
      const secret = decrypt(held.bytes, wrapped, context);
      if (secret) return secret;
    }
    return undefined;
  }

  mac(name: KeyName): (message: Uint8Array) => Uint8Array {
    return keyedHash(this.#use(name, 'mac', 'mac').bytes);
  }

  signer(name: KeyName): Signer {
    const signer = signerFromSeed(this.#newest(name, 'signing').bytes);
    return {
      publicKey: signer.publicKey,
      sign: (message) => {
        this.#use(name, 'signing', 'sign');
        return signer.sign(message);
      },
    };
  }

  sealedBox(name: KeyName): SealedBoxKey {
    const box = sealedBoxFromSeed(this.#newest(name, 'agreement').bytes);
    return {
      publicKey: box.publicKey,
      open: (sealed) => {
        this.#use(name, 'agreement', 'open');
        return box.open(sealed);
      },
    };
  }

  async erase(names: readonly KeyName[]): Promise<void> {
    await this.#inTurn(async () => {
      const erased = names.flatMap((name) => this.#keys.get(name) ?? []);
      if (erased.length === 0) return;
      // Before anything else: a backup that still holds them must not bring them back.
      await this.#epochs.noteErased(erased.map(({ keyId }) => keyId));
      for (const held of erased) this.#keys.delete(held.record.name);
      await this.#destroy(erased, 'erase');
    });
  }

  /** An appended tombstone would leave a key's ciphertext in the file: writes the file anew without these keys. */
  async #destroy(gone: readonly HeldKey[], operation: 'erase' | 'retire'): Promise<void> {
    const header = newHeader(parseHeader(this.#log.header));
    const records = encodeKeys(this.#keys.values());
    const next = await KeyLog.create(this.#log.path, this.#master, header, records);
    await this.#log.close();
    this.#log = next;
    for (const held of gone) {
      this.#report(operation, held);
      held.bytes.fill(0);
    }
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#log.close());
  }

  #held(name: KeyName, purpose: KeyPurpose): readonly HeldKey[] {
    if (purposeOf(name) !== purpose) {
      throw new KeystoreError('keystore/purpose', `a key that is not for ${purpose} was asked to do it`);
    }
    const held = this.#keys.get(name);
    if (!held) throw new KeystoreError('keystore/no-key', `the keystore holds no such ${purpose} key`);
    return held;
  }

  #newest(name: KeyName, purpose: KeyPurpose): HeldKey {
    const [newest] = this.#held(name, purpose);
    if (!newest) throw new KeystoreError('keystore/no-key', `the keystore holds no such ${purpose} key`);
    return newest;
  }

  #use(name: KeyName, purpose: KeyPurpose, operation: KeyOperation): HeldKey {
    const held = this.#newest(name, purpose);
    this.#report(operation, held);
    return held;
  }

  #report(operation: KeyOperation, held: HeldKey): void {
    this.#audit({ operation, keyId: held.keyId, time: this.#now() });
  }

  /** Writers take turns; one that fails does not stop the next. */
  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#turn.then(work);
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}

/** Where the keys of backup epochs are. */
export function epochsOf(options: Pick<FileKeystoreOptions, 'folder' | 'epochs' | 'now'>): BackupEpochs {
  const folder = options.epochs ?? join(options.folder, '..', 'backup-epochs');
  return new BackupEpochs({ folder, now: options.now ?? Date.now });
}

/**
 * Opens the keystore file of a folder, or makes one.
 *
 * @throws {@link KeystoreError} for a wrong secret, an altered file, or a key file that others can read.
 * @example const keystore = await openFileKeystore({ folder, secret: { kind: 'key-file', path } });
 */
export async function openFileKeystore(options: FileKeystoreOptions): Promise<Keystore> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const path = join(options.folder, KEYS_FILE);
  const file = await readFileIfPresent(path);
  if (!file) {
    const { master, header } = await newMasterKey(options.secret);
    const log = await KeyLog.create(path, master, header, []);
    return new FileKeystore(log, master, new Map(), options);
  }
  const headerBytes = readHeader(file);
  if (!headerBytes) throw new KeystoreError('keystore/version', 'the keystore file is not of this version');
  const header = parseHeader(headerBytes);
  const master = await masterKey(options.secret, header);
  const content = readRecords(file, headerBytes, header.fileId, master);
  const log = await KeyLog.open(path, master, content);
  return new FileKeystore(log, master, replay(content), options);
}
