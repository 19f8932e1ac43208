import { createHmac, hkdfSync, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Codec, fixedBytes, fromHex, oneOf, struct, toHex, uint, utf8 } from '@careledger/primitives';
import { KeystoreError } from './errors.ts';
import { overwriteFile, readFileIfPresent, syncFolder, writeFileDurably } from './key-log.ts';

const KEY_BYTES = 32;
const SALT_BYTES = 16;
const FILE_ID_BYTES = 16;
/** OWASP's first choice for scrypt that fits 32 MiB: a guess costs about 0.1 s. */
const SCRYPT_COST = 32_768;
const SCRYPT_BLOCK = 8;
const SCRYPT_MEMORY_BYTES_MAX = 64 * 1024 * 1024;

/** What opens the keystore's file. A key file is generated when it is missing. */
export type KeystoreSecret =
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'key-file'; readonly path: string };

export interface KeystoreHeader {
  readonly kind: 'careledger/keystore/1';
  readonly protection: 'passphrase' | 'key-file';
  readonly fileId: Uint8Array;
  readonly salt: Uint8Array;
  readonly cost: number;
  /** Shows a wrong secret without touching a record. */
  readonly check: Uint8Array;
}

const headerCodec: Codec<KeystoreHeader> = struct({
  kind: oneOf(['careledger/keystore/1']),
  protection: oneOf(['passphrase', 'key-file']),
  fileId: fixedBytes(FILE_ID_BYTES),
  salt: fixedBytes(SALT_BYTES),
  cost: uint,
  check: fixedBytes(KEY_BYTES),
});

/** @throws {@link KeystoreError} `keystore/version` when it is no header of this version. */
export function parseHeader(bytes: Uint8Array): KeystoreHeader {
  try {
    return headerCodec.decode(bytes);
  } catch (cause) {
    throw new KeystoreError('keystore/version', 'the keystore file is not of this version', { cause });
  }
}

export interface EncodedHeader {
  readonly bytes: Uint8Array;
  readonly fileId: Uint8Array;
}

/** The same header under a new file id, so that records of the old file do not fit the new one. */
export function newHeader(header: KeystoreHeader): EncodedHeader {
  const fileId = randomBytes(FILE_ID_BYTES);
  return { bytes: headerCodec.encode({ ...header, fileId }), fileId };
}

function stretch(passphrase: string, salt: Uint8Array, cost: number): Promise<Uint8Array> {
  const options = { N: cost, r: SCRYPT_BLOCK, p: 1, maxmem: SCRYPT_MEMORY_BYTES_MAX };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFKC'), salt, KEY_BYTES, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

async function readKeyFile(path: string): Promise<Uint8Array | undefined> {
  const content = await readFileIfPresent(path);
  if (!content) return undefined;
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new KeystoreError('keystore/open-to-others', 'the key file may be read by others than its owner');
  }
  const key = fromHex(Buffer.from(content).toString('utf8').trim());
  if (key?.length !== KEY_BYTES)
    throw new KeystoreError('keystore/wrong-secret', 'the key file holds no key');
  return key;
}

async function generateKeyFile(path: string): Promise<Uint8Array> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const key = randomBytes(KEY_BYTES);
  await writeFileDurably(path, utf8(`${toHex(key)}\n`));
  return key;
}

async function secretBytes(
  secret: KeystoreSecret,
  header: Pick<KeystoreHeader, 'salt' | 'cost'>,
): Promise<Uint8Array> {
  if (secret.kind === 'passphrase') return stretch(secret.passphrase, header.salt, header.cost);
  return (await readKeyFile(secret.path)) ?? generateKeyFile(secret.path);
}

/** Where a rotation keeps the new key file until the keystore's file is under it. */
function stagedPath(path: string): string {
  return `${path}.rotation`;
}

/** Puts the staged key file in the old one's place. The old one's bytes are overwritten first. */
async function takeStaged(path: string): Promise<void> {
  await overwriteFile(path);
  await rename(stagedPath(path), path);
  await syncFolder(path);
}

function derive(secret: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, 'careledger/keystore/master/1', KEY_BYTES));
}

function checkOf(master: Uint8Array): Uint8Array {
  return createHmac('sha256', master).update('careledger/keystore/check/1').digest();
}

function isMaster(master: Uint8Array, header: KeystoreHeader): boolean {
  return timingSafeEqual(checkOf(master), header.check);
}

/** The key file's key, whichever side of a rotation a crash left the keystore on; ends that rotation. */
async function masterFromKeyFile(path: string, header: KeystoreHeader): Promise<Uint8Array | undefined> {
  const [key, staged] = [await readKeyFile(path), await readKeyFile(stagedPath(path))];
  const master = key && derive(key, header.salt);
  if (master && isMaster(master, header)) {
    if (staged) await rm(stagedPath(path));
    return master;
  }
  const next = staged && derive(staged, header.salt);
  if (!next || !isMaster(next, header)) return undefined;
  await takeStaged(path);
  return next;
}

/**
 * The key of an existing keystore file.
 * @throws {@link KeystoreError} `keystore/wrong-secret`.
 */
export async function masterKey(secret: KeystoreSecret, header: KeystoreHeader): Promise<Uint8Array> {
  if (secret.kind !== header.protection) {
    throw new KeystoreError('keystore/wrong-secret', `this keystore is protected by a ${header.protection}`);
  }
  if (secret.kind === 'key-file') {
    const found = await masterFromKeyFile(secret.path, header);
    if (found) return found;
  } else {
    const master = derive(await stretch(secret.passphrase, header.salt, header.cost), header.salt);
    if (isMaster(master, header)) return master;
  }
  throw new KeystoreError('keystore/wrong-secret', 'the keystore does not open with this secret');
}

export interface NewMaster {
  readonly master: Uint8Array;
  readonly header: EncodedHeader;
}

function newHeaderFor(protection: KeystoreSecret['kind'], secret: Uint8Array, salt: Uint8Array): NewMaster {
  const master = derive(secret, salt);
  const fileId = randomBytes(FILE_ID_BYTES);
  const bytes = headerCodec.encode({
    kind: 'careledger/keystore/1',
    ...{ protection, fileId, salt },
    cost: SCRYPT_COST,
    check: checkOf(master),
  });
  return { master, header: { bytes, fileId } };
}

/** A new keystore's header and key. Generates the key file when there is none. */
export async function newMasterKey(secret: KeystoreSecret): Promise<NewMaster> {
  const salt = randomBytes(SALT_BYTES);
  return newHeaderFor(secret.kind, await secretBytes(secret, { salt, cost: SCRYPT_COST }), salt);
}

/** A master key on its way in. `finish` once the keystore's file is under it: it destroys the old key file. */
export interface StagedMaster extends NewMaster {
  readonly finish: () => Promise<void>;
}

/**
 * A new master key for an existing keystore: from this passphrase under a new salt, or from a new key that is written
 * beside the key file. Until `finish`, and whatever crashes, one of the two opens the keystore's file.
 */
export async function stageMasterKey(secret: KeystoreSecret): Promise<StagedMaster> {
  if (secret.kind === 'passphrase' || !(await readKeyFile(secret.path))) {
    return { ...(await newMasterKey(secret)), finish: async () => undefined };
  }
  const key = await generateKeyFile(stagedPath(secret.path));
  const made = newHeaderFor('key-file', key, randomBytes(SALT_BYTES));
  return { ...made, finish: () => takeStaged(secret.path) };
}
