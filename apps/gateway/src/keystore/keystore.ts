import type { Brand, Signer } from '@careledger/primitives';
import type { KeystoreSecret } from './master-key.ts';

/** Names one key: `subject/<Patient id>`, `organization`, `index/search`, `signing/ledger`, `agreement/sealed-entries`. */
export type KeyName = Brand<string, 'KeyName'>;

/** What a key is for. A key never serves two purposes. */
export type KeyPurpose = 'wrapping' | 'mac' | 'signing' | 'agreement';

/** Wraps the data keys of everything that is nobody's record: Organization, Practitioner. */
export const ORGANIZATION_KEY = 'organization' as KeyName;
/** Keys the tokens of the search index. */
export const SEARCH_INDEX_KEY = 'index/search' as KeyName;
/** Keys the tokens of import sources. */
export const IMPORT_SOURCE_KEY = 'index/import-source' as KeyName;
/** Seals what paging links carry. */
export const PAGE_LINK_KEY = 'wrapping/page-link' as KeyName;
/** Signs ledger transactions. */
export const LEDGER_SIGNING_KEY = 'signing/ledger' as KeyName;
/** Signs disclosure leaves. */
export const DISCLOSURE_SIGNING_KEY = 'signing/disclosure' as KeyName;
/** Opens what is sealed to this organization: introductions, locator entries. */
export const SEALED_ENTRIES_KEY = 'agreement/sealed-entries' as KeyName;
/** Seals the journal's entries. */
export const JOURNAL_KEY = 'wrapping/journal' as KeyName;

/** The keys that every gateway needs before its first record. */
export const GATEWAY_KEYS: readonly KeyName[] = [
  ORGANIZATION_KEY,
  SEARCH_INDEX_KEY,
  IMPORT_SOURCE_KEY,
  PAGE_LINK_KEY,
  LEDGER_SIGNING_KEY,
  DISCLOSURE_SIGNING_KEY,
  SEALED_ENTRIES_KEY,
  JOURNAL_KEY,
];

const SUBJECT_PREFIX = 'subject/';

/** The key of one patient of this gateway, by the Patient resource's id. */
export function subjectKey(patientId: string): KeyName {
  return `${SUBJECT_PREFIX}${patientId}` as KeyName;
}

/** The Patient id of a subject key, or `undefined` for every other key. */
export function patientOfKey(name: string): string | undefined {
  return name.startsWith(SUBJECT_PREFIX) ? name.slice(SUBJECT_PREFIX.length) : undefined;
}

const PURPOSES: Readonly<Record<string, KeyPurpose>> = {
  subject: 'wrapping',
  organization: 'wrapping',
  wrapping: 'wrapping',
  index: 'mac',
  signing: 'signing',
  agreement: 'agreement',
};

/** May this key be rotated? What it wrapped must be found and wrapped anew: that is so for what patients' keys protect. */
export function isRotatable(name: KeyName): boolean {
  return name === ORGANIZATION_KEY || patientOfKey(name) !== undefined;
}

/** A name's first word says what its key is for. `undefined` when it is no key name. */
export function purposeOf(name: KeyName): KeyPurpose | undefined {
  return PURPOSES[name.split('/', 1)[0] ?? ''];
}

export type KeyOperation =
  | 'make'
  | 'rotate'
  | 'retire'
  | 'back up'
  | 'restore'
  | 'erase'
  | 'wrap'
  | 'unwrap'
  | 'mac'
  | 'sign'
  | 'open';

/** One use of a key, for the organization's audit log. It holds the key's own random id: never a patient's. */
export interface KeyEvent {
  readonly operation: KeyOperation;
  /** 16 random hexadecimal digits, made with the key. */
  readonly keyId: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface BackupReport {
  readonly keys: number;
  /** When it was made, and when its epoch's key is destroyed and it opens no more: milliseconds. */
  readonly createdAt: number;
  readonly opensUntil: number;
}

export interface KeystoreDescription {
  readonly kind: string;
  /** `development`: keys pass through this process's memory. */
  readonly grade: 'development' | 'production';
  readonly protection: string;
  /** One sentence for the operator. */
  readonly statement: string;
}

/** Opens what others sealed to one of our keys (X25519, libsodium's `crypto_box_seal`). */
export interface SealedBoxKey {
  readonly publicKey: Uint8Array;
  /** The plaintext, or `undefined` when it was sealed to another key or altered. */
  readonly open: (sealed: Uint8Array) => Uint8Array | undefined;
}

/**
 * Where the keys are, apart from the vault they open. It does things with keys; it does not hand them out, so that a
 * hardware module or a cloud service can stand behind it later.
 */
export interface Keystore {
  describe(): KeystoreDescription;
  /** Makes the keys that are missing; resolves once they are durable. */
  ensure(names: readonly KeyName[]): Promise<void>;
  has(name: KeyName): boolean;
  /**
   * Encrypts a small secret under a wrapping key (AES-256-GCM), bound to `context`.
   * @throws {@link KeystoreError} `keystore/no-key`.
   */
  wrap(name: KeyName, secret: Uint8Array, context: Uint8Array): Uint8Array;
  /** The secret, or `undefined` when the bytes or the context are not those that were wrapped. Old versions of a key open too. */
  unwrap(name: KeyName, wrapped: Uint8Array, context: Uint8Array): Uint8Array | undefined;
  /**
   * A keyed hash of 32 bytes (a MAC) under a mac key. The audit event is one for each call of this function, not for
   * each message.
   */
  mac(name: KeyName): (message: Uint8Array) => Uint8Array;
  /** Signs with an Ed25519 key. */
  signer(name: KeyName): Signer;
  sealedBox(name: KeyName): SealedBoxKey;
  /** Names of the keys that may be rotated: patients' and the organization's. */
  rotatable(): readonly KeyName[];
  /** Makes a new version of each of these keys: `wrap` uses it from now on. The old ones open until they are retired. */
  rotate(names: readonly KeyName[]): Promise<void>;
  /** Keys with an old version that is not retired: a rotation under way, or one that a crash left. */
  rotating(): readonly KeyName[];
  /** What was wrapped under an old version, under the newest one; `current` when it is already. */
  rewrap(name: KeyName, wrapped: Uint8Array, context: Uint8Array): Uint8Array | 'current' | 'altered';
  /** Destroys the old versions of these keys, as {@link erase} does: everything must have been rewrapped. */
  retireOld(names: readonly KeyName[]): Promise<void>;
  /** Puts the whole keystore under a new master key, in one step that a crash cannot halve; the old one is destroyed. */
  rotateMaster(secret: KeystoreSecret): Promise<void>;
  /** Writes every key to a file, encrypted under the key of the backup epoch of today. */
  backUp(path: string): Promise<BackupReport>;
  /** Destroys keys: resolves once no copy is in the keystore's file. Unknown names are passed over. */
  erase(names: readonly KeyName[]): Promise<void>;
  close(): Promise<void>;
}
