import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bytes,
  type Codec,
  fixedBytes,
  oneOf,
  type Signer,
  signerFromSeed,
  struct,
  text,
  toHex,
} from '@careledger/primitives';
import { decrypt, encrypt } from './aead.ts';
import { KeystoreError } from './errors.ts';
import { KeyLog, type KeyLogFile, readFileIfPresent, readHeader, readRecords } from './key-log.ts';
import { keyedHash } from './keyed-hash.ts';
import type {
  KeyEvent,
  KeyName,
  KeyOperation,
  KeyPurpose,
  Keystore,
  KeystoreDescription,
  SealedBoxKey,
} from './keystore.ts';
import { purposeOf } from './keystore.ts';
import { type KeystoreSecret, masterKey, newHeader, newMasterKey, parseHeader } from './master-key.ts';
import { sealedBoxFromSeed } from './sealed-box.ts';

const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
/** Keys appended with one sync at most. */
const BATCH_KEYS_MAX = 4_096;

interface KeyRecord {
  readonly operation: 'put' | 'erase';
  readonly name: KeyName;
  readonly keyId: Uint8Array;
  readonly key: Uint8Array;
}

const recordCodec: Codec<KeyRecord> = struct({
  operation: oneOf(['put', 'erase']),
  name: text<KeyName>({ bytesMax: 128 }),
  keyId: fixedBytes(KEY_ID_BYTES),
  key: bytes({ bytesMax: KEY_BYTES }),
});

interface HeldKey {
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly record: KeyRecord;
}

export interface FileKeystoreOptions {
  /** Folder of the keystore, apart from the vault. Made when missing. */
  readonly folder: string;
  readonly secret: KeystoreSecret;
  /** Hears of every use of a key. It must not throw. */
  readonly audit?: (event: KeyEvent) => void;
  readonly now?: () => number;
}

function replay(content: KeyLogFile): Map<KeyName, HeldKey> {
  const keys = new Map<KeyName, HeldKey>();
  for (const encoded of content.records) {
    const record = recordCodec.decode(encoded);
    if (record.operation === 'erase') keys.delete(record.name);
    else keys.set(record.name, { keyId: toHex(record.keyId), bytes: record.key, record });
  }
  return keys;
}

class FileKeystore implements Keystore {
  readonly #master: Uint8Array;
  readonly #protection: KeystoreSecret['kind'];
  readonly #audit: (event: KeyEvent) => void;
  readonly #now: () => number;
  readonly #keys: Map<KeyName, HeldKey>;
  #log: KeyLog;
  #turn: Promise<void> = Promise.resolve();

  constructor(log: KeyLog, master: Uint8Array, keys: Map<KeyName, HeldKey>, options: FileKeystoreOptions) {
    this.#log = log;
    this.#master = master;
    this.#keys = keys;
    this.#protection = options.secret.kind;
    this.#audit = options.audit ?? (() => {});
    this.#now = options.now ?? Date.now;
  }

  describe(): KeystoreDescription {
    const protection =
      this.#protection === 'passphrase'
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
    const made = names.map((name): HeldKey => {
      if (!purposeOf(name)) throw new KeystoreError('keystore/purpose', 'a key name says no purpose');
      const keyId = randomBytes(KEY_ID_BYTES);
      const key = randomBytes(KEY_BYTES);
      return { keyId: toHex(keyId), bytes: key, record: { operation: 'put', name, keyId, key } };
    });
    await this.#log.append(made.map((held) => recordCodec.encode(held.record)));
    for (const held of made) {
      this.#keys.set(held.record.name, held);
      this.#report('make', held);
    }
  }

  wrap(name: KeyName, secret: Uint8Array, context: Uint8Array): Uint8Array {
    return encrypt(this.#use(name, 'wrapping', 'wrap').bytes, secret, context);
  }

  unwrap(name: KeyName, wrapped: Uint8Array, context: Uint8Array): Uint8Array | undefined {
    return decrypt(this.#use(name, 'wrapping', 'unwrap').bytes, wrapped, context);
  }

  mac(name: KeyName): (message: Uint8Array) => Uint8Array {
    return keyedHash(this.#use(name, 'mac', 'mac').bytes);
  }

  signer(name: KeyName): Signer {
    const signer = signerFromSeed(this.#held(name, 'signing').bytes);
    return {
      publicKey: signer.publicKey,
      sign: (message) => {
        this.#use(name, 'signing', 'sign');
        return signer.sign(message);
      },
    };
  }

  sealedBox(name: KeyName): SealedBoxKey {
    const box = sealedBoxFromSeed(this.#held(name, 'agreement').bytes);
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
      for (const held of erased) this.#keys.delete(held.record.name);
      // An appended tombstone would leave the key's ciphertext in the file: write the file anew without it.
      const records = [...this.#keys.values()].map((held) => recordCodec.encode(held.record));
      const header = newHeader(parseHeader(this.#log.header));
      const next = await KeyLog.create(this.#log.path, this.#master, header, records);
      await this.#log.close();
      this.#log = next;
      for (const held of erased) {
        this.#report('erase', held);
        held.bytes.fill(0);
      }
    });
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#log.close());
  }

  #held(name: KeyName, purpose: KeyPurpose): HeldKey {
    if (purposeOf(name) !== purpose) {
      throw new KeystoreError('keystore/purpose', `a key that is not for ${purpose} was asked to do it`);
    }
    const held = this.#keys.get(name);
    if (!held) throw new KeystoreError('keystore/no-key', `the keystore holds no such ${purpose} key`);
    return held;
  }

  #use(name: KeyName, purpose: KeyPurpose, operation: KeyOperation): HeldKey {
    const held = this.#held(name, purpose);
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

/**
 * Opens the keystore file of a folder, or makes one.
 *
 * @throws {@link KeystoreError} for a wrong secret, an altered file, or a key file that others can read.
 * @example const keystore = await openFileKeystore({ folder, secret: { kind: 'key-file', path } });
 */
export async function openFileKeystore(options: FileKeystoreOptions): Promise<Keystore> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const path = join(options.folder, 'keys.log');
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
