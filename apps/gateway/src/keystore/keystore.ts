import type { Brand, Signer } from '@careledger/primitives';

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

/** A name's first word says what its key is for. `undefined` when it is no key name. */
export function purposeOf(name: KeyName): KeyPurpose | undefined {
  return PURPOSES[name.split('/', 1)[0] ?? ''];
}

export type KeyOperation = 'make' | 'import' | 'erase' | 'wrap' | 'unwrap' | 'mac' | 'sign' | 'seal' | 'open';

/** One use of a key, for the organization's audit log. It holds the key's own random id: never a patient's. */
export interface KeyEvent {
  readonly operation: KeyOperation;
  /** 16 random hexadecimal digits, made with the key. */
  readonly keyId: string;
  /** Milliseconds since 1970. */
  readonly time: number;
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
  /** The secret, or `undefined` when the bytes or the context are not those that were wrapped. */
  unwrap(name: KeyName, wrapped: Uint8Array, context: Uint8Array): Uint8Array | undefined;
  /**
   * A keyed hash of 32 bytes (a MAC) under a mac key. The audit event is one for each call of this function, not for
   * each message.
   */
  mac(name: KeyName): (message: Uint8Array) => Uint8Array;
  /** Signs with an Ed25519 key. */
  signer(name: KeyName): Signer;
  sealedBox(name: KeyName): SealedBoxKey;
  /** Destroys keys: resolves once no copy is in the keystore's file. Unknown names are passed over. */
  erase(names: readonly KeyName[]): Promise<void>;
  close(): Promise<void>;
}
