import { randomBytes } from 'node:crypto';
import { commitmentOf } from '@careledger/ledger';
import {
  bytes,
  type Codec,
  concat,
  encodeCbor,
  equalBytes,
  fixedBytes,
  list,
  optional,
  struct,
  text,
} from '@careledger/primitives';
import {
  decrypt,
  encrypt,
  type KeyName,
  type Keystore,
  ORGANIZATION_KEY,
  subjectKey,
} from '../keystore/index.ts';
import { type DocumentContent, documentContentCodec } from './document-content.ts';

const DATA_KEY_BYTES = 32;
/** Canonical text of one resource, documents with their attachments included. */
export const RESOURCE_BYTES_MAX = 16 * 1024 * 1024;
/** Patients in one resource: a group session, a family history. */
export const SUBJECTS_MAX = 64;

/** What an envelope holds. `text` is empty for a deletion. */
export interface EnvelopeContent {
  readonly text: Uint8Array;
  readonly salt: Uint8Array;
  readonly retireSecret: Uint8Array;
  /** Patient ids. The rows beside the envelope repeat them for look-ups; these here decide. */
  readonly subjects: readonly string[];
  /** What validation found, as JSON: it may quote the record, so it is in here. */
  readonly issues?: string;
  /** A large document that is kept in a chunk file. */
  readonly document?: DocumentContent;
}

const contentCodec: Codec<EnvelopeContent> = struct({
  text: bytes({ bytesMax: RESOURCE_BYTES_MAX }),
  salt: fixedBytes(32),
  retireSecret: fixedBytes(32),
  subjects: list(text({ bytesMax: 64 }), { countMax: SUBJECTS_MAX }),
  issues: optional(text({ bytesMax: 1024 * 1024 })),
  document: optional(documentContentCodec),
});

/** What a version is, apart from its content: associated data of its envelope. */
export interface VersionIdentity {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  /** Milliseconds. */
  readonly time: number;
  readonly deleted: boolean;
  readonly actor: string;
  readonly validation: string;
  readonly validator: string;
}

export interface WrappedKey {
  readonly keyName: KeyName;
  readonly wrapped: Uint8Array;
}

export interface SealedRecord {
  readonly envelope: Uint8Array;
  readonly keys: readonly WrappedKey[];
}

const ENVELOPE_DOMAIN = 'careledger/vault/envelope/1';
const KEY_DOMAIN = 'careledger/vault/data-key/1';

/** CBOR's head of an array of nine: a domain and what follows. */
const BOUND_HEAD = Uint8Array.of(0x89);
const ENVELOPE_PREFIX = concat(BOUND_HEAD, encodeCbor(ENVELOPE_DOMAIN));
const KEY_PREFIX = concat(BOUND_HEAD, encodeCbor(KEY_DOMAIN));

/** Associated data of an envelope and of its wrapped keys: CBOR of the domain and the fields, which are encoded once. */
interface Binding {
  readonly envelope: Uint8Array;
  readonly key: Uint8Array;
}

function bindingOf(identity: VersionIdentity): Binding {
  const { type, id, version, time, deleted, actor, validation, validator } = identity;
  // Without its own head of one byte: the array's elements.
  const fields = encodeCbor([type, id, version, time, deleted, actor, validation, validator]).subarray(1);
  return { envelope: concat(ENVELOPE_PREFIX, fields), key: concat(KEY_PREFIX, fields) };
}

/** What a wrapped data key is bound to. */
export function dataKeyContext(identity: VersionIdentity): Uint8Array {
  return bindingOf(identity).key;
}

/** The keys that may open a record: its subjects', or the organization's when it is nobody's. */
export function keyNamesOf(subjects: readonly string[]): readonly KeyName[] {
  return subjects.length === 0 ? [ORGANIZATION_KEY] : subjects.map(subjectKey);
}

/** Encrypts one version under a data key of its own and wraps that key for each subject. The keys must exist. */
export function sealRecord(
  keystore: Keystore,
  identity: VersionIdentity,
  content: EnvelopeContent,
): SealedRecord {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const binding = bindingOf(identity);
  const envelope = encrypt(dataKey, contentCodec.encode(content), binding.envelope);
  const keys = keyNamesOf(content.subjects).map((keyName) => ({
    keyName,
    wrapped: keystore.wrap(keyName, dataKey, binding.key),
  }));
  dataKey.fill(0);
  return { envelope, keys };
}

/** What is wrong with a stored version. */
export type RecordFault =
  | 'erased'
  | 'data key'
  | 'envelope'
  | 'subjects'
  | 'commitment'
  | 'leaf hash'
  | 'leaf';

export type OpenedRecord =
  | { readonly ok: true; readonly content: EnvelopeContent }
  | { readonly ok: false; readonly fault: RecordFault };

function unwrapAny(
  keystore: Keystore,
  keys: readonly WrappedKey[],
  context: Uint8Array,
): Uint8Array | RecordFault {
  const present = keys.filter(({ keyName }) => keystore.has(keyName));
  if (present.length === 0) return keys.length === 0 ? 'data key' : 'erased';
  for (const { keyName, wrapped } of present) {
    const dataKey = keystore.unwrap(keyName, wrapped, context);
    if (dataKey) return dataKey;
  }
  return 'data key';
}

function decodeContent(encoded: Uint8Array): EnvelopeContent | undefined {
  try {
    return contentCodec.decode(encoded);
  } catch {
    return undefined;
  }
}

/** Opens an envelope and compares the key rows with the subjects that are sealed inside. */
export function openRecord(
  keystore: Keystore,
  identity: VersionIdentity,
  sealed: SealedRecord,
): OpenedRecord {
  const binding = bindingOf(identity);
  const dataKey = unwrapAny(keystore, sealed.keys, binding.key);
  if (typeof dataKey === 'string') return { ok: false, fault: dataKey };
  const encoded = decrypt(dataKey, sealed.envelope, binding.envelope);
  dataKey.fill(0);
  const content = encoded && decodeContent(encoded);
  if (!content) return { ok: false, fault: 'envelope' };
  const expected = [...keyNamesOf(content.subjects)].sort();
  const found = sealed.keys.map(({ keyName }) => keyName).sort();
  const isSame = expected.length === found.length && expected.every((name, index) => name === found[index]);
  return isSame ? { ok: true, content } : { ok: false, fault: 'subjects' };
}

/** Is this the commitment to exactly this text? For a version that is no deletion. */
export function isCommitted(content: EnvelopeContent, commitment: Uint8Array): boolean {
  return equalBytes(commitment, commitmentOf({ salt: content.salt, bytes: content.text }));
}
