import { randomUUID } from 'node:crypto';
import type { PageEvidence, RecordEvidence } from '@careledger/custody';
import {
  canonicalText,
  idOf,
  type LosslessObject,
  type LosslessResource,
  referencesOf,
  rewriteReferences,
  subjectsOf,
  toLossless,
  valueAt,
  withField,
  withoutField,
} from '@careledger/fhir';
import type { OrganizationId } from '@careledger/primitives';
import { utf8 } from '@careledger/primitives';
import type { ExchangeContext } from '../exchange-context.ts';
import type { NewCopy } from '../store/recipient-store.ts';

/** A verified record on its way into the chart. */
export interface VerifiedRecord {
  readonly resource: LosslessResource;
  readonly evidence: RecordEvidence;
  readonly page: PageEvidence;
  /** The signed leaf of the page that it came with. */
  readonly disclosureLeaf: Uint8Array;
}

export interface FilingOrder {
  /** Our Patient, whose chart it goes into. */
  readonly patientId: string;
  /** The custodian's Patient, by its own id. */
  readonly sourcePatientId: string;
  readonly custodian: OrganizationId;
  readonly requestingUser: string;
}

/** What became of the records: local references, new and already there. */
export interface Filed {
  /** Kept verbatim, and not made a record of ours: it is about somebody whom we cannot name. */
  readonly keptOnly: number;
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
}

interface Planned {
  readonly record: VerifiedRecord;
  readonly source: string;
  readonly type: string;
  readonly id: string;
  readonly kind: 'created' | 'updated' | 'unchanged';
  /** A record about patients whom we cannot name is kept verbatim alone. */
  readonly isNameable: boolean;
}

/** A Patient resource is compared, never filed as another chart; it is kept verbatim. */
const NOT_FILED = 'Patient';

function isFiled({ type, isNameable }: Planned): boolean {
  return type !== NOT_FILED && isNameable;
}

function versionOf(resource: LosslessResource): string {
  const version = valueAt(resource, ['meta', 'versionId']);
  return typeof version === 'string' ? version : '';
}

async function plan(
  context: ExchangeContext,
  order: FilingOrder,
  records: readonly VerifiedRecord[],
): Promise<readonly Planned[]> {
  const planned: Planned[] = [];
  for (const record of records) {
    const type = record.resource.resourceType;
    const source = `${type}/${idOf(record.resource) ?? ''}`;
    const known = await context.recipient.copyOf(order.custodian, source);
    const isSame = known && Buffer.from(known.commitment).equals(record.evidence.leaf.commitment);
    const id = type === NOT_FILED ? order.patientId : (known?.id ?? randomUUID());
    const kind = isSame ? 'unchanged' : known ? 'updated' : 'created';
    const { patients, unresolved } = subjectsOf(record.resource);
    const own = `Patient/${order.sourcePatientId}`;
    const isNameable = unresolved.length === 0 && patients.every((patient) => patient === own);
    planned.push({ record, source, type, id, kind, isNameable });
  }
  return planned;
}

const RELATIVE = /^[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}(\/_history\/.+)?$/;

/** References inside the copies: to copies of ours where there are any, else to the custodian's by its address. */
async function localReferences(
  context: ExchangeContext,
  order: FilingOrder,
  planned: readonly Planned[],
): Promise<(reference: string) => string | undefined> {
  const local = new Map(planned.map(({ source, type, id }) => [source, `${type}/${id}`]));
  local.set(`Patient/${order.sourcePatientId}`, `Patient/${order.patientId}`);
  const named = planned.flatMap(({ record }) => referencesOf(record.resource));
  for (const { kind, reference } of named) {
    if (kind !== 'relative' || reference === undefined || local.has(reference)) continue;
    const earlier = await context.recipient.copyOf(order.custodian, reference);
    if (earlier) local.set(reference, `${earlier.type}/${earlier.id}`);
  }
  const base = context.members.baseOf(order.custodian);
  return (reference) => {
    const known = local.get(reference);
    if (known !== undefined) return known;
    return RELATIVE.test(reference) && base !== undefined ? `${base}/${reference}` : undefined;
  };
}

/** The local record: the custodian's content, its own id and version left to our vault. */
function localRecord(
  resource: LosslessResource,
  mapping: (reference: string) => string | undefined,
): LosslessResource {
  const rewritten = rewriteReferences(resource as LosslessObject, mapping);
  const meta = valueAt(resource, ['meta']) as LosslessObject | undefined;
  const kept = meta ? withoutField(withoutField(meta, 'versionId'), 'lastUpdated') : {};
  const stripped = withoutField(rewritten, 'id');
  const isEmpty = Object.keys(kept).length === 0;
  return (isEmpty ? withoutField(stripped, 'meta') : withField(stripped, 'meta', kept)) as LosslessResource;
}

function provenanceOf(
  context: ExchangeContext,
  order: FilingOrder,
  { record, source, type, id }: Planned,
): LosslessResource {
  const base = context.members.baseOf(order.custodian) ?? `urn:careledger:${order.custodian}`;
  const identifier = { system: 'https://careledger.example/organization', value: order.custodian };
  return toLossless({
    resourceType: 'Provenance',
    target: [{ reference: `${type}/${id}` }],
    recorded: new Date(context.now()).toISOString(),
    agent: [
      {
        type: {
          coding: [
            {
              system: 'http://terminology.hl7.org/CodeSystem/provenance-participant-type',
              code: 'custodian',
            },
          ],
        },
        who: { identifier },
      },
    ],
    entity: [
      {
        role: 'source',
        what: { reference: `${base}/${source}/_history/${versionOf(record.resource)}`, type },
      },
    ],
  }) as LosslessResource;
}

/**
 * Files verified records: each verbatim with its evidence, and as a new local record with a Provenance that names the
 * source version. Filing the same again changes nothing.
 */
export async function fileCopies(
  context: ExchangeContext,
  order: FilingOrder,
  records: readonly VerifiedRecord[],
): Promise<Filed> {
  const planned = await plan(context, order, records);
  const mapping = await localReferences(context, order, planned);
  const changed = planned.filter(({ kind }) => kind !== 'unchanged');
  const actor = `${context.organization}/exchange/${order.requestingUser}`.slice(0, 160);
  await context.records.write(async (writer) => {
    for (const one of changed) {
      if (!isFiled(one)) continue;
      const resource = localRecord(one.record.resource, mapping);
      const write = one.kind === 'created' ? writer.create : writer.update;
      await write(resource, { id: one.id, actor, isCopy: true });
      await writer.create(provenanceOf(context, order, one), { id: randomUUID(), actor });
    }
  });
  await context.recipient.addCopies(changed.map((one) => copyOf(context, order, one)));
  const named = (kind: Planned['kind']): readonly string[] =>
    planned.filter((one) => one.kind === kind && isFiled(one)).map(({ type, id }) => `${type}/${id}`);
  const keptOnly = planned.filter(({ isNameable }) => !isNameable).length;
  return { keptOnly, created: named('created'), updated: named('updated'), unchanged: named('unchanged') };
}

function copyOf(
  context: ExchangeContext,
  order: FilingOrder,
  { record, source, type, id }: Planned,
): NewCopy {
  return {
    commitment: record.evidence.leaf.commitment,
    patient: order.patientId,
    custodian: order.custodian,
    source,
    sourceVersion: versionOf(record.resource),
    type,
    id,
    filedAt: context.now(),
    details: {
      verbatim: utf8(canonicalText(record.resource)),
      evidence: record.evidence,
      page: record.page,
      disclosureLeaf: record.disclosureLeaf,
    },
  };
}
