import {
  bool,
  type Commitment,
  concat,
  consentIdCodec,
  fixedBytes,
  hashCodec,
  hmacSha256,
  list,
  oneOf,
  optional,
  organizationIdCodec,
  type StructOf,
  struct,
  text,
  uint,
} from '@careledger/primitives';
import { CHUNK_SUBJECTS_MAX, CHUNK_TYPES_MAX } from '../limits.ts';

/** What an entry is about. Everything that touches a patient's records across organizations is one of these. */
export const JOURNAL_EVENTS = [
  /** This organization released a chunk. */
  'disclosure',
  /** This organization refused, whether or not the patient or the record exists. */
  'refusal',
  /** This organization took a chunk from another, verified it and filed it. */
  'receipt',
  /** The recipient of a disclosure confirmed it. */
  'acknowledgement',
  'introduction',
  'match',
  'grant',
  'revocation',
  /** This organization's own systems, or the patient, took copies in bulk. */
  'export',
  /** A record that was disclosed had stood in the wrong chart: its custodian told its recipient, who acknowledged. */
  'retraction',
  /** A patient’s request for a copy of their own records made a step: asked for, extended, fulfilled or denied. */
  'access-request',
] as const;
export type JournalEvent = (typeof JOURNAL_EVENTS)[number];

export const ENTRY_ID_BYTES = 16;
export const ENTRY_SALT_BYTES = 32;

const word = text({ bytesMax: 64, pattern: /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/ });
const entryFields = {
  kind: oneOf(['careledger/journal-entry/1']),
  id: fixedBytes(ENTRY_ID_BYTES),
  event: oneOf(JOURNAL_EVENTS),
  /** The keeper's clock, in milliseconds. */
  time: uint,
  /** Who keeps this journal. */
  organization: organizationIdCodec,
  /** The other organization. */
  counterpart: organizationIdCodec,
  /** The user, as the asking organization names them. */
  requestingUser: optional(text({ bytesMax: 96 })),
  purpose: text({ bytesMax: 16 }),
  /** `consent`, `treatment`, ...: what the decision stood on; absent for what needed none. */
  ground: optional(text({ bytesMax: 32 })),
  policyVersion: optional(text({ bytesMax: 48 })),
  ruleIds: list(word, { countMax: 8 }),
  /** Why not, for a refusal: never told to who asked. */
  reason: optional(word),
  /** Local Patient ids whose records are meant: the asked one first. Empty when nobody is known by what was asked. */
  subjects: list(text({ bytesMax: 64 }), { countMax: CHUNK_SUBJECTS_MAX }),
  consentId: optional(consentIdCodec),
  requestId: optional(fixedBytes(16)),
  chunk: optional(uint),
  /** Brief description of what was disclosed (45 CFR 164.528(b)(2)(iii)). */
  description: list(struct({ type: text({ bytesMax: 40 }), count: uint }), { countMax: CHUNK_TYPES_MAX }),
  /** Which record versions: digest of their commitments in order. */
  records: optional(hashCodec),
  withheld: uint,
  releaseBefore: optional(uint),
  /** The other organization's entry about the same event. */
  counterpartEntry: optional(hashCodec),
  /** Released in an emergency while the ledger had no fresh head: to be reviewed. */
  late: bool,
};
export const journalEntryCodec = struct(entryFields);
/** One event of the journal, readable. It leaves the custodian only in a report to whom it concerns. */
export type JournalEntry = StructOf<typeof entryFields>;

/** The entry's Merkle leaf: nothing of the entry can be found from it without the salt. */
export function entryCommitment(entryBytes: Uint8Array, salt: Uint8Array): Commitment {
  return hmacSha256(salt, entryBytes) as Commitment;
}

/** Every plaintext that goes into the journal file has this length, whatever it says. */
export const PLAINTEXT_BYTES = 3_072;
const LENGTH_BYTES = 2;

/** Pads a plaintext to {@link PLAINTEXT_BYTES}. @throws RangeError when it is longer. */
export function padPlaintext(plaintext: Uint8Array): Uint8Array {
  if (plaintext.length > PLAINTEXT_BYTES - LENGTH_BYTES) throw new RangeError('a journal entry is too long');
  const padded = new Uint8Array(PLAINTEXT_BYTES);
  padded.set(concat(Uint8Array.of(plaintext.length >> 8, plaintext.length & 255), plaintext));
  return padded;
}

/** The plaintext of a padded one, or `undefined` when it is not one. */
export function unpadPlaintext(padded: Uint8Array): Uint8Array | undefined {
  if (padded.length !== PLAINTEXT_BYTES) return undefined;
  const length = ((padded[0] ?? 0) << 8) | (padded[1] ?? 0);
  if (length > PLAINTEXT_BYTES - LENGTH_BYTES) return undefined;
  return padded.slice(LENGTH_BYTES, LENGTH_BYTES + length);
}
