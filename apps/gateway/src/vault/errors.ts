export type VaultErrorCode =
  | 'vault/altered'
  | 'vault/erased'
  | 'vault/other-version'
  | 'vault/other-organization'
  | 'vault/no-current'
  | 'vault/rolled-back'
  | 'vault/document-too-large'
  | 'vault/failed';

const HELP: Readonly<Record<VaultErrorCode, string>> = {
  'vault/altered': 'Somebody changed this record on disk. Restore the vault from a backup and compare.',
  'vault/erased': 'The keys of this record have been destroyed; it cannot be read by anybody.',
  'vault/other-version': 'Open this vault with the version of Careledger that wrote it, or a newer one.',
  'vault/other-organization': 'Start the gateway with the organization that this vault belongs to.',
  'vault/no-current': 'Create the record before replacing or deleting it.',
  'vault/document-too-large': 'Keep it in the system that is made for it and register a pointer to it.',
  'vault/rolled-back':
    'Restore the newest copy of the vault. Records that only the ledger knows of are named by no other means.',
  'vault/failed': 'Stop the gateway, check the disk, start it again.',
};

/** Why the vault cannot answer. Names a record by its local id, never by what it says. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly code: VaultErrorCode;
  readonly help: string;

  constructor(code: VaultErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.help = HELP[code];
  }
}
