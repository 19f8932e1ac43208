import sodium from 'sodium-native';
import type { SealedBoxKey } from './keystore.ts';

/** Encrypts to the holder of an X25519 key, anonymously (libsodium's `crypto_box_seal`). */
export function sealTo(publicKey: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const sealed = Buffer.alloc(plaintext.length + sodium.crypto_box_SEALBYTES);
  sodium.crypto_box_seal(sealed, Buffer.from(plaintext), Buffer.from(publicKey));
  return new Uint8Array(sealed);
}

/** The opening half over a 32-byte seed. */
export function sealedBoxFromSeed(seed: Uint8Array): SealedBoxKey {
  const publicKey = Buffer.alloc(sodium.crypto_box_PUBLICKEYBYTES);
  const secretKey = Buffer.alloc(sodium.crypto_box_SECRETKEYBYTES);
  sodium.crypto_box_seed_keypair(publicKey, secretKey, Buffer.from(seed));
  return {
    publicKey: new Uint8Array(publicKey),
    open: (sealed) => {
      if (sealed.length < sodium.crypto_box_SEALBYTES) return undefined;
      const opened = Buffer.alloc(sealed.length - sodium.crypto_box_SEALBYTES);
      const fits = sodium.crypto_box_seal_open(opened, Buffer.from(sealed), publicKey, secretKey);
      return fits ? new Uint8Array(opened) : undefined;
    },
  };
}
