import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fromBase64Url, type Signer, toBase64Url } from '@careledger/primitives';
import sodium from 'sodium-native';
import { messageOf, NodeError } from './errors.ts';

const SEED_BYTES = 32;
const FORMAT = 'careledger-ed25519-seed-1';
/** Readable by the owner alone. */
const KEY_FILE_MODE = 0o600;

/** A signer over a 32-byte Ed25519 seed, by libsodium. */
export function signerOfSeed(seed: Uint8Array): Signer {
  const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES);
  const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, Buffer.from(seed));
  return {
    publicKey: Uint8Array.from(publicKey),
    sign: (message) => {
      const signature = Buffer.alloc(sodium.crypto_sign_BYTES);
      sodium.crypto_sign_detached(signature, Buffer.from(message), secretKey);
      return Uint8Array.from(signature);
    },
  };
}

/**
 * Makes a new Ed25519 key and writes it to a file that only its owner may read.
 * @throws NodeError `key/exists` rather than overwrite a key.
 */
export function createSigningKey(path: string): Signer {
  const seed = randomBytes(SEED_BYTES);
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(path, `${FORMAT} ${toBase64Url(seed)}\n`, { mode: KEY_FILE_MODE, flag: 'wx', flush: true });
  } catch (cause) {
    throw new NodeError('key/exists', `cannot write a new key to ${path}: ${messageOf(cause)}`, KEEP_HELP, {
      cause,
    });
  }
  chmodSync(path, KEY_FILE_MODE);
  return signerOfSeed(seed);
}

const KEEP_HELP = 'A key file is never overwritten. Move the old one away first.';
const FORM_HELP = 'The file must hold one line as createSigningKey writes it. Restore it from its backup.';

/** Reads a key file. @throws NodeError `key/unreadable`, `key/readable-by-others`, `key/malformed`. */
export function readSigningKey(path: string): Signer {
  let line: string;
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new NodeError(
        'key/readable-by-others',
        `${path} is readable by others`,
        `Run chmod 600 ${path}.`,
      );
    }
    line = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof NodeError) throw cause;
    throw new NodeError('key/unreadable', `cannot read the key file ${path}`, FORM_HELP, { cause });
  }
  const [format, encoded = ''] = line.trim().split(' ');
  const seed = fromBase64Url(encoded);
  if (format !== FORMAT || seed?.length !== SEED_BYTES) {
    throw new NodeError('key/malformed', `${path} is not a Careledger key file`, FORM_HELP);
  }
  return signerOfSeed(seed);
}
