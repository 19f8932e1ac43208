import { randomBytes, randomUUID } from 'node:crypto';
import {
  isResource,
  type LosslessResource,
  parseLossless,
  rewriteReferences,
  toLossless,
  toPlain,
  withField,
  withoutField,
} from '@careledger/fhir';
import { recordLeafCodec } from '@careledger/ledger';
import type { Commitment } from '@careledger/primitives';
import type { Resource } from '@medplum/fhirtypes';
import type { Caller } from '../../caller.ts';
import {
  actorOf,
  FhirError,
  maySee,
  notFound,
  type RecordStore,
  type RecordTransaction,
} from '../../fhir/index.ts';
import { validationOf } from '../../validation/index.ts';
import type { DocumentContent, StoredVersion } from '../../vault/index.ts';

/** Versions of one record that a notice names. */
export const VERSIONS_MAX = 1_000;
/** Longest reason, in characters. */
export const REASON_CHARACTERS_MAX = 1_000;

/** A record that stands in the wrong chart, and the chart where it belongs. */
export interface MoveOrder {
  readonly type: string;
  readonly id: string;
  /** Patient ids of this gateway. */
  readonly from: string;
  readonly to: string;
  /** Why, in words for the chart. */
  readonly reason: string;
}

/** What was taken back, for whoever was shown it. */
export interface RetractedVersions {
  /** Commitments of every version that the record ever had. */
  readonly commitments: readonly Commitment[];
  /** Where the ledger says that they are retired. */
  readonly retireKeys: readonly Uint8Array[];
  /** When the first of them was written, in milliseconds. */
  readonly since: number;
}

function refuse(message: string, help: string, expression: string): never {
  throw new FhirError({ status: 422, code: 'business-rule', message, help, expression: [expression] });
}

/** The newest version, if the caller may change it and it is about the patient whom the order names. */
async function recordToMove(
  store: RecordStore,
  transaction: RecordTransaction,
  caller: Caller,
  { type, id, from, to }: MoveOrder,
): Promise<StoredVersion> {
  const stored = await transaction.current({ type, id });
  if (!stored || stored.deleted || !(await maySee(store.options, caller, stored, 'update'))) throw notFound();
  if (type === 'Patient') {
    refuse('A Patient is a chart, not a record in one.', 'Merge or correct the Patient itself.', 'type');
  }
  if (from === to) refuse('The two patients are the same.', 'Name the right patient in `to`.', 'to');
  if (!stored.subjects.includes(from)) {
    refuse('The record is not about the patient named in `from`.', 'Read the record again.', 'from');
  }
  const live = await store.options.vault.livePatients([to], transaction.tx);
  if (!live.has(to)) refuse('There is no such patient here.', 'Name the right patient in `to`.', 'to');
  return stored;
}

/** The record as the right patient's: every reference to the wrong one names the right one. */
function inRightChart(stored: StoredVersion, order: MoveOrder, baseUrl: string): LosslessResource {
  const tree = parseLossless(stored.text);
  if (!isResource(tree)) throw notFound();
  const wrong = [`Patient/${order.from}`, `${baseUrl}/Patient/${order.from}`];
  const right = `Patient/${order.to}`;
  const rewritten = rewriteReferences(tree, (reference) => {
    const [bare = ''] = reference.split('/_history/', 1);
    return wrong.includes(bare) ? right : undefined;
  });
  return withoutField(rewritten, 'id') as LosslessResource;
}

function provenanceOf(
  order: MoveOrder,
  stored: StoredVersion,
  id: string,
  recorded: string,
): LosslessResource {
  const { type, to, reason } = order;
  return toLossless({
    resourceType: 'Provenance',
    target: [{ reference: `${type}/${id}` }, { reference: `Patient/${to}` }],
    recorded,
    reason: [{ text: reason }],
    agent: [{ who: { display: stored.actor } }],
    entity: [{ role: 'revision', what: { reference: `${type}/${stored.id}/_history/${stored.version}` } }],
  }) as LosslessResource;
}

/** The same file under a commitment of its own: nobody can tell the two leaves for one document's. */
function documentAnew(document: DocumentContent | undefined): DocumentContent | undefined {
  const secret = (): Uint8Array => new Uint8Array(randomBytes(32));
  return document && { ...document, salt: secret(), retireSecret: secret() };
}

/** What a move will retract, before anything of it is done: the notices must not be lost in a crash between. */
export async function versionsOf(
  store: RecordStore,
  { type, id }: Pick<MoveOrder, 'type' | 'id'>,
): Promise<RetractedVersions> {
  const versions = await store.options.vault.history({ type, id, countMax: VERSIONS_MAX });
  const kept = versions.filter(({ deleted }) => !deleted);
  const leaves = kept.map(({ leaf }) => recordLeafCodec.decode(new Uint8Array(leaf)));
  return {
    commitments: leaves.map(({ commitment }) => commitment),
    retireKeys: leaves.map(({ retireKey }) => retireKey),
    since: kept.at(-1)?.time ?? 0,
  };
}

/**
 * Moves a record into the right chart, in one transaction: the old record is deleted (a tombstone retires its leaf), the
 * new one has an id, leaf and Provenance of its own, and every old version is sealed anew under the right patient's key.
 * The wrong patient's key opens nothing of it any more.
 *
 * @throws {@link FhirError} 404 for what the caller may not change; 422.
 */
export async function moveRecord(store: RecordStore, caller: Caller, order: MoveOrder): Promise<string> {
  const { vault, baseUrl, now } = store.options;
  const id = randomUUID();
  const actor = actorOf(caller);
  await store.transaction(async (transaction) => {
    const stored = await recordToMove(store, transaction, caller, order);
    const resource = inRightChart(stored, order, baseUrl);
    const plain = toPlain(withField(resource, 'id', id)) as unknown as Resource;
    const document = documentAnew(stored.document);
    // It was stored as it is: a rule that came later does not keep it in the wrong chart.
    await transaction.write(resource, {
      id,
      actor,
      imported: validationOf(plain),
      ...(document ? { document } : {}),
    });
    const provenance = provenanceOf(order, { ...stored, actor }, id, new Date(now()).toISOString());
    await transaction.write(provenance, { id: randomUUID(), actor });
    await transaction.delete(stored, actor);
    const others = (subject: string): string => (subject === order.from ? order.to : subject);
    await vault.reseal(transaction.tx, stored, (subjects) => [...new Set(subjects.map(others))].sort());
  });
  // What the log of the database still holds of the old keys goes now.
  await vault.checkpoint();
  return id;
}
