import { randomBytes } from 'node:crypto';
import { tombstoneLeafCodec, tombstoneLeafHash } from '@careledger/capabilities';
import { commitmentOf, leafBytes, merkleLeafHash, recordLeafCodec, retireKeyOf } from '@careledger/ledger';
import { type Codec, equalBytes, type OrganizationId } from '@careledger/primitives';
import type { Keystore } from '../keystore/index.ts';
import { type DocumentContent, documentManifest } from './document-content.ts';
import { VaultError } from './errors.ts';
import { priorityOf } from './priority-class.ts';
import {
  type EnvelopeContent,
  isCommitted,
  openRecord,
  type RecordFault,
  sealRecord,
  type WrappedKey,
} from './record-envelope.ts';
import type { DocumentRow, RecordKey, VersionRow, VersionToInsert } from './vault-rows.ts';

const SECRET_BYTES = 32;

export interface ValidationSummary {
  readonly result: 'valid' | 'flagged';
  /** Name and version of the validator. */
  readonly validator: string;
  /** OperationOutcome issues as JSON. Kept inside the envelope. */
  readonly issues?: string;
}

/** A version to append. */
export interface NewVersion extends RecordKey {
  readonly version: number;
  /** `meta.lastUpdated` in milliseconds. */
  readonly time: number;
  /** Canonical text, id and meta set; `undefined` for a deletion. */
  readonly text: string | undefined;
  /** Patient ids of this gateway. */
  readonly subjects: readonly string[];
  readonly actor: string;
  readonly validation: ValidationSummary;
  /** The version that this one replaces, as {@link Vault.current} gave it in the same transaction. */
  readonly replaces?: StoredVersion;
  /** A large document that this version holds, received by the vault's document files. */
  readonly document?: DocumentContent | undefined;
}

export interface VersionSummary extends RecordKey {
  readonly seq: number;
  readonly version: number;
  readonly time: number;
  readonly deleted: boolean;
  readonly actor: string;
  readonly validation: 'valid' | 'flagged';
  readonly validator: string;
  readonly leaf: Uint8Array;
  readonly leafHash: Uint8Array;
}

/** A version whose envelope was opened and found to be what its leaf commits to. */
export interface StoredVersion extends VersionSummary {
  /** Canonical text: exactly the bytes that were committed. Empty for a deletion. */
  readonly text: string;
  readonly salt: Uint8Array;
  readonly retireSecret: Uint8Array;
  readonly subjects: readonly string[];
  readonly issues?: string;
  readonly document?: DocumentContent;
}

/** A row as it is read, before its envelope is opened. */
export function summaryOf(row: VersionRow): VersionSummary {
  return {
    seq: row.seq,
    type: row.type,
    id: row.id,
    version: row.version,
    time: row.time,
    deleted: row.deleted === 1,
    actor: row.actor,
    validation: row.validation,
    validator: row.validator,
    leaf: row.leaf,
    leafHash: row.leaf_hash,
  };
}

export function openedFields(content: EnvelopeContent, text: string) {
  const { salt, retireSecret, subjects, issues, document } = content;
  return {
    ...{ text, salt, retireSecret, subjects },
    ...(issues === undefined ? {} : { issues }),
    ...(document ? { document } : {}),
  };
}

export interface MadeLeaf {
  readonly leaf: Uint8Array;
  readonly hash: Uint8Array;
}

function leafOf(
  organization: OrganizationId,
  content: EnvelopeContent,
  replaces: StoredVersion | undefined,
): MadeLeaf {
  const leaf = {
    commitment: commitmentOf({ salt: content.salt, bytes: content.text }),
    retireKey: retireKeyOf({ organization, retireSecret: content.retireSecret }),
    ...(replaces ? { supersedes: replaces.leafHash } : {}),
  };
  const encoded = leafBytes(leaf);
  return { leaf: encoded, hash: merkleLeafHash(encoded) };
}

function tombstoneOf(content: EnvelopeContent, replaces: StoredVersion | undefined): MadeLeaf {
  if (!replaces) throw new VaultError('vault/no-current', 'a deletion replaces a version');
  const tombstone = { deletes: replaces.leafHash, salt: content.salt };
  return { leaf: tombstoneLeafCodec.encode(tombstone), hash: tombstoneLeafHash(tombstone) };
}

/** A document's own leaf. It names no leaf before it: the retirement of that one names this one. */
export function documentLeafOf(organization: OrganizationId, document: DocumentContent): MadeLeaf {
  const leaf = {
    commitment: commitmentOf({ salt: document.salt, bytes: documentManifest(document) }),
    retireKey: retireKeyOf({ organization, retireSecret: document.retireSecret }),
  };
  const encoded = leafBytes(leaf);
  return { leaf: encoded, hash: merkleLeafHash(encoded) };
}

/** What becomes of a document between two versions: a new one, the same one, or none any more. */
function documentRowOf(organization: OrganizationId, next: NewVersion, seq: number): DocumentRow | undefined {
  const { document, replaces } = next;
  const before = replaces?.document;
  if (!document && !before) return undefined;
  const row = { seq, name: document?.name ?? null, leaf_proof: null };
  if (document && before && equalBytes(before.salt, document.salt)) {
    return { ...row, leaf: null, leaf_hash: null, retire_secret: null };
  }
  const retired = before && documentLeafOf(organization, before);
  const made = document ? documentLeafOf(organization, document) : documentTombstone(retired);
  return { ...row, leaf: made.leaf, leaf_hash: made.hash, retire_secret: before?.retireSecret ?? null };
}

function documentTombstone(retired: MadeLeaf | undefined): MadeLeaf {
  if (!retired) throw new VaultError('vault/no-current', 'a deletion replaces a document');
  const tombstone = { deletes: retired.hash, salt: randomBytes(SECRET_BYTES) };
  return { leaf: tombstoneLeafCodec.encode(tombstone), hash: tombstoneLeafHash(tombstone) };
}

export interface PreparedVersion extends VersionToInsert {
  readonly content: EnvelopeContent;
}

/** Encrypts a version and makes its leaf. The keys of its subjects must exist. */
export function prepareVersion(
  keystore: Keystore,
  organization: OrganizationId,
  next: NewVersion,
  seq: number,
): PreparedVersion {
  const { type, id, version, time, replaces, actor, subjects } = next;
  const { result: validation, validator, issues } = next.validation;
  const deleted = next.text === undefined;
  const content: EnvelopeContent = {
    text: Buffer.from(next.text ?? '', 'utf8'),
    salt: randomBytes(SECRET_BYTES),
    retireSecret: randomBytes(SECRET_BYTES),
    subjects,
    ...(issues === undefined ? {} : { issues }),
    ...(next.document ? { document: next.document } : {}),
  };
  const identity = { type, id, version, time, deleted, actor, validation, validator };
  const { envelope, keys } = sealRecord(keystore, identity, content);
  const { leaf, hash } = deleted ? tombstoneOf(content, replaces) : leafOf(organization, content, replaces);
  const row: VersionRow = {
    ...{ seq, type, id, version, time, actor, validation, validator, leaf, envelope },
    deleted: deleted ? 1 : 0,
    current: 1,
    leaf_hash: hash,
    batch: null,
    leaf_proof: null,
  };
  const retires = replaces && !replaces.deleted ? replaces.retireSecret : null;
  const priority = priorityOf(type, [next.text ?? '', replaces?.text ?? '']);
  return { row, keys, content, retires, priority, document: documentRowOf(organization, next, seq) };
}

export type InspectedRow =
  | { readonly ok: true; readonly version: StoredVersion }
  | { readonly ok: false; readonly fault: RecordFault };

/** `undefined` for bytes that are no such leaf. */
function decoded<Leaf>(codec: Codec<Leaf>, leaf: Uint8Array): Leaf | undefined {
  try {
    return codec.decode(leaf);
  } catch {
    return undefined;
  }
}

function leafFault(row: VersionRow, content: EnvelopeContent): RecordFault | undefined {
  if (row.deleted === 1) {
    const tombstone = decoded(tombstoneLeafCodec, row.leaf);
    if (!tombstone || !equalBytes(tombstoneLeafHash(tombstone), row.leaf_hash)) return 'leaf hash';
    return equalBytes(tombstone.salt, content.salt) ? undefined : 'commitment';
  }
  const leaf = decoded(recordLeafCodec, row.leaf);
  // A leaf has one encoding: what decodes is what its hash is made over.
  if (!leaf || !equalBytes(merkleLeafHash(row.leaf), row.leaf_hash)) return 'leaf hash';
  return isCommitted(content, leaf.commitment) ? undefined : 'commitment';
}

/** Opens a row's envelope and compares it with its leaf. */
export function inspectRow(keystore: Keystore, row: VersionRow, keys: readonly WrappedKey[]): InspectedRow {
  const summary = summaryOf(row);
  const opened = openRecord(keystore, summary, { envelope: row.envelope, keys });
  if (!opened.ok) return opened;
  const fault = leafFault(row, opened.content);
  if (fault) return { ok: false, fault };
  const { buffer, byteOffset, length } = opened.content.text;
  const text = Buffer.from(buffer, byteOffset, length).toString('utf8');
  return { ok: true, version: { ...summary, ...openedFields(opened.content, text) } };
}
