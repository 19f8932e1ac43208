import {
  type BackupReport,
  type Keystore,
  type KeystoreSecret,
  ORGANIZATION_KEY,
  subjectKey,
} from './keystore/index.ts';
import type { KeyRotation, RotationReport } from './vault/index.ts';

/** Which keys to rotate: one patient's, the organization's, or every one that can be. */
export type RotatedKeys = { readonly patient: string } | 'organization' | 'all';

/** What an operator does with a gateway's keys while it runs. */
export interface GatewayKeys {
  /** New versions, and everything under them: resolves when the old ones are destroyed. A crash in between is taken up. */
  rotate(keys: RotatedKeys): Promise<RotationReport>;
  /**
   * A new master key: from a new passphrase, or a new key in the key file's place. The old one opens nothing after it.
   * The next start needs the new secret.
   */
  rotateMaster(secret: KeystoreSecret): Promise<void>;
  /** Writes every key to a file that opens for six to seven days; `restoreKeystore` reads it. */
  backUp(path: string): Promise<BackupReport>;
}

export function gatewayKeys(keystore: Keystore, rotation: KeyRotation): GatewayKeys {
  return {
    rotate: (keys) => {
      if (keys === 'all') return rotation.rotate();
      return rotation.rotate([keys === 'organization' ? ORGANIZATION_KEY : subjectKey(keys.patient)]);
    },
    rotateMaster: (secret) => keystore.rotateMaster(secret),
    backUp: (path) => keystore.backUp(path),
  };
}
