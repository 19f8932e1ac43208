import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { concat } from '@careledger/primitives';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What sealing adds to a plaintext. */
export const AEAD_OVERHEAD = NONCE_BYTES + TAG_BYTES;

/** AES-256-GCM (NIST SP 800-38D) under a fresh random nonce: `nonce ‖ ciphertext ‖ tag`. */
export function encrypt(key: Uint8Array, plaintext: Uint8Array, associated: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  // A key object is taken as it is; telling what bytes are costs three times the encryption.
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), nonce);
  cipher.setAAD(associated);
  return concat(nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/** The plaintext, or `undefined` when key, bytes or associated data are not those of {@link encrypt}. */
export function decrypt(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): Uint8Array | undefined {
  if (sealed.length < AEAD_OVERHEAD) return undefined;
  const tagAt = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(tagAt));
  try {
    const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, tagAt));
    // A stream cipher: all of it came with `update`, and `final` says whether the tag is right.
    decipher.final();
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  } catch {
    return undefined;
  }
}
