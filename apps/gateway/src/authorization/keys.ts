import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';

/** ES256 for access tokens; ES384 for client assertions; RS256 for id tokens. */
export type KeyAlgorithm = 'ES256' | 'ES384' | 'RS256';

const OWNER_ONLY = 0o600;

/** A new private key as a JWK whose `kid` is its own thumbprint (RFC 7638). */
export async function generatePrivateJwk(algorithm: KeyAlgorithm): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, alg: algorithm, use: 'sig', kid: await calculateJwkThumbprint(jwk) };
}

/** The half of a private EC or RSA key that may be shown: named member by member, so that nothing else slips out. */
export function publicJwkOf(privateKey: JWK): JWK {
  const { kty, crv, x, y, n, e, alg, use, kid } = privateKey;
  const shown = Object.entries({ kty, crv, x, y, n, e, alg, use, kid });
  return Object.fromEntries(shown.filter(([, member]) => member !== undefined)) as unknown as JWK;
}

/**
 * Reads a private key from its file, or makes it there at the first start. Development-grade: the file is protected
 * by its mode alone.
 */
export async function readOrCreatePrivateJwk(file: string, algorithm: KeyAlgorithm): Promise<JWK> {
  await mkdir(dirname(file), { recursive: true });
  try {
    const handle = await open(file, 'wx', OWNER_ONLY);
    try {
      const key = await generatePrivateJwk(algorithm);
      await handle.writeFile(JSON.stringify(key));
      await handle.sync();
      return key;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return JSON.parse(await readFile(file, 'utf8')) as JWK;
  }
}
