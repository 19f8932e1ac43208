import type { SignatureClaim } from '@careledger/primitives';
import sodium from 'sodium-native';

/** Signatures in one message to a worker. */
export const BATCH_SIGNATURES = 64;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const LENGTH_BYTES = 4;

/** Have key and signature their length? Others cannot be packed, and never hold. */
export function isWellFormed({ publicKey, signature }: SignatureClaim): boolean {
  return publicKey.length === KEY_BYTES && signature.length === SIGNATURE_BYTES;
}

/** One Ed25519 signature by libsodium's rule (the ledger's one rule, see `primitives/signature.ts`). */
export function verifyWithSodium(claim: SignatureClaim): boolean {
  if (!isWellFormed(claim)) return false;
  const { publicKey, message, signature } = claim;
  return sodium.crypto_sign_verify_detached(view(signature), view(message), view(publicKey));
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Claims in one buffer to transfer: `{message length, public key, signature, message}` each. */
export function packClaims(claims: readonly SignatureClaim[]): ArrayBuffer {
  const fixed = LENGTH_BYTES + KEY_BYTES + SIGNATURE_BYTES;
  const packed = new Uint8Array(claims.reduce((sum, { message }) => sum + fixed + message.length, 0));
  const lengths = new DataView(packed.buffer);
  let offset = 0;
  for (const { publicKey, message, signature } of claims) {
    lengths.setUint32(offset, message.length);
    packed.set(publicKey, offset + LENGTH_BYTES);
    packed.set(signature, offset + LENGTH_BYTES + KEY_BYTES);
    packed.set(message, offset + fixed);
    offset += fixed + message.length;
  }
  return packed.buffer;
}

/** One byte for each packed claim: 1 where the signature holds. */
export function verifyPacked(packed: ArrayBuffer): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(packed);
  const lengths = new DataView(packed);
  const verdicts: number[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const key = offset + LENGTH_BYTES;
    const signature = key + KEY_BYTES;
    const message = signature + SIGNATURE_BYTES;
    const end = message + lengths.getUint32(offset);
    const holds = verifyWithSodium({
      publicKey: bytes.subarray(key, signature),
      signature: bytes.subarray(signature, message),
      message: bytes.subarray(message, end),
    });
    verdicts.push(holds ? 1 : 0);
    offset = end;
  }
  return Uint8Array.from(verdicts);
}
