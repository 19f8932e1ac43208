import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { PASSWORD_CHARACTERS_MAX, PASSWORD_CHECKS_MAX } from '../limits.ts';

/** scrypt’s cost (RFC 7914): 2^15 blocks of 1 KiB, three times: 32 MiB and a quarter of a second (OWASP, password storage). */
const COST_LOG2 = 15;
const BLOCK_SIZE = 8;
const PARALLEL = 3;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const MEMORY_BYTES_MAX = 64 * 1024 * 1024;

const FORM = /^scrypt\$(1[0-6])\$(8)\$([1-4])\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

interface Stored {
  readonly costLog2: number;
  readonly parallel: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

function derive(password: string, stored: Omit<Stored, 'hash'>): Promise<Buffer> {
  const options = {
    N: 2 ** stored.costLog2,
    r: BLOCK_SIZE,
    p: stored.parallel,
    maxmem: MEMORY_BYTES_MAX,
  };
  // The same password typed on two keyboards can be two byte sequences (RFC 8265: NFC).
  const text = password.normalize('NFC');
  return new Promise((resolve, reject) => {
    scrypt(text, stored.salt, HASH_BYTES, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function parse(text: string): Stored | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, cost = '', , parallel = '', salt = '', hash = ''] = match;
  return {
    costLog2: Number(cost),
    parallel: Number(parallel),
    salt: Buffer.from(salt, 'base64url'),
    hash: Buffer.from(hash, 'base64url'),
  };
}

/** What a users file holds instead of a password: `scrypt$15$8$3$<salt>$<hash>`. */
export async function hashPassword(password: string): Promise<string> {
  const stored = { costLog2: COST_LOG2, parallel: PARALLEL, salt: randomBytes(SALT_BYTES) };
  const hash = await derive(password, stored);
  return `scrypt$${COST_LOG2}$${BLOCK_SIZE}$${PARALLEL}$${stored.salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/** Does this text have the form that {@link hashPassword} writes? */
export function isPasswordHash(text: unknown): text is string {
  return typeof text === 'string' && FORM.test(text);
}

/** Checked when there is no such user, so that this takes as long. No password is known that fits it. */
const NOBODY: Stored = {
  costLog2: COST_LOG2,
  parallel: PARALLEL,
  salt: randomBytes(SALT_BYTES),
  hash: randomBytes(HASH_BYTES),
};

/** `busy`: more checks are under way than the machine should do at once; nothing was checked. */
export type PasswordVerdict = 'right' | 'wrong' | 'busy';

let underWay = 0;

/** Checks a password against a stored hash; `undefined` stands for a user who does not exist, and takes as long. */
export async function checkPassword(password: string, hash: string | undefined): Promise<PasswordVerdict> {
  if (underWay >= PASSWORD_CHECKS_MAX) return 'busy';
  underWay += 1;
  try {
    const stored = hash === undefined ? undefined : parse(hash);
    const against = stored ?? NOBODY;
    const derived = await derive(password.slice(0, PASSWORD_CHARACTERS_MAX), against);
    const isEqual = timingSafeEqual(derived, against.hash);
    return isEqual && stored && password.length <= PASSWORD_CHARACTERS_MAX ? 'right' : 'wrong';
  } finally {
    underWay -= 1;
  }
}
