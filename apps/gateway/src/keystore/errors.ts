export type KeystoreErrorCode =
  | 'keystore/no-key'
  | 'keystore/wrong-secret'
  | 'keystore/altered'
  | 'keystore/version'
  | 'keystore/open-to-others'
  | 'keystore/write-failed'
  | 'keystore/purpose'
  | 'keystore/worn'
  | 'keystore/exists'
  | 'keystore/epoch-gone'
  | 'keystore/backup-altered';

const HELP: Readonly<Record<KeystoreErrorCode, string>> = {
  'keystore/no-key': 'The key was never made or has been erased; what it protected cannot be read.',
  'keystore/wrong-secret': 'Give the passphrase or the key file that this keystore was made with.',
  'keystore/altered': 'Restore the keystore file from its backup; do not edit it.',
  'keystore/version': 'Open this keystore with the version of Careledger that wrote it.',
  'keystore/open-to-others': 'Run chmod 600 on the key file: its owner alone may read it.',
  'keystore/write-failed': 'Check that the disk has space and the folder can be written.',
  'keystore/purpose': 'A key serves one purpose; use one that is made for this.',
  'keystore/worn': 'Rotate this key: under one key only so many random nonces are safe.',
  'keystore/exists': 'Restore into an empty folder; move the keystore that stands there away first.',
  'keystore/epoch-gone':
    'Its epoch is over and its key destroyed, as it must be for erasure. Use a backup of the last seven days.',
  'keystore/backup-altered': 'Use another copy of this backup.',
};

/** Why the keystore cannot do what it was asked. Never holds key bytes or a patient's id. */
export class KeystoreError extends Error {
  override readonly name = 'KeystoreError';
  readonly code: KeystoreErrorCode;
  readonly help: string;

  constructor(code: KeystoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.help = HELP[code];
  }
}
