/**
 * Anonymous public-key encryption (X25519, libsodium's `crypto_box_seal`): anyone seals, only the holder of the private
 * half opens, and the ciphertext names neither. A port, because it needs randomness; the gateway adapts libsodium.
 */
export interface SealedBox {
  readonly seal: (encryptionKey: Uint8Array, plaintext: Uint8Array) => Uint8Array;
  /** The plaintext, or `undefined` when it was sealed to another key or altered. */
  readonly open: (sealed: Uint8Array) => Uint8Array | undefined;
}

/** Bytes that sealing adds: the ephemeral key and the authentication tag. */
export const SEALED_BOX_OVERHEAD = 48;
