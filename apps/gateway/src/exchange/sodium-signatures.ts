import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, type VerifySignature } from '@careledger/primitives';
import sodium from 'sodium-native';

/** Ed25519 by libsodium: the ledger's one rule, natively. */
export const verifyWithSodium: VerifySignature = ({ publicKey, message, signature }) => {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  return sodium.crypto_sign_verify_detached(
    Buffer.from(signature),
    Buffer.from(message),
    Buffer.from(publicKey),
  );
};
