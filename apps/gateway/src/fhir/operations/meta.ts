import {
  canonicalText,
  isLosslessArray,
  isLosslessObject,
  isResource,
  type LosslessObject,
  type LosslessValue,
  parseLossless,
  withField,
  withoutField,
} from '@careledger/fhir';
import type { StoredVersion } from '../../vault/index.ts';
import { requireAuthorship, requireScope } from '../access.ts';
import { gone, notFound } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, objectBody, writing } from '../fhir-request.ts';
import { readCurrent, readVersion } from '../interactions/read.ts';
import { appendVersion, editableVersion } from '../interactions/versions.ts';
import { requireVersion } from '../preconditions.ts';
import { JsonText } from '../stored-resource.ts';
import { operationParameters, requiredParameter } from './parameters.ts';

type Change = 'add' | 'delete';
/** What these operations change (FHIR R4, resource-operation-meta-add); the rest of a meta is the server's. */
const LISTS = ['profile', 'security', 'tag'] as const;

function metaOf({ text }: StoredVersion): LosslessObject {
  const tree = parseLossless(text);
  return isLosslessObject(tree) && isLosslessObject(tree.meta) ? tree.meta : {};
}

function answerWith(meta: LosslessObject): FhirAnswer {
  const parameter = [{ name: 'return', valueMeta: new JsonText(meta) }];
  return { status: 200, resource: { resourceType: 'Parameters', parameter } };
}

/** `GET Type/id/$meta`, and of one version. */
export async function meta(request: FhirRequest): Promise<FhirAnswer> {
  const { scope, version } = request;
  const stored = version === '' ? await readCurrent(scope, request) : await readVersion(scope, request);
  return answerWith(metaOf(stored));
}

/** Codings are the same when system and code are, profiles when their text is. */
function identityOf(value: LosslessValue): string {
  if (!isLosslessObject(value)) return canonicalText(value);
  return canonicalText([value.system ?? null, value.code ?? null]);
}

function listOf(meta: LosslessObject, name: string): readonly LosslessValue[] {
  const list = meta[name];
  return isLosslessArray(list) ? list : [];
}

function changed(before: LosslessObject, asked: LosslessObject, change: Change): LosslessObject {
  let after = before;
  for (const name of LISTS) {
    const had = listOf(before, name);
    const named = new Map(listOf(asked, name).map((one) => [identityOf(one), one]));
    for (const one of had) if (change === 'add') named.delete(identityOf(one));
    const list =
      change === 'add' ? [...had, ...named.values()] : had.filter((one) => !named.has(identityOf(one)));
    after = list.length > 0 ? withField(after, name, list) : withoutField(after, name);
  }
  return after;
}

async function changeMeta(request: FhirRequest, change: Change): Promise<FhirAnswer> {
  const { type, id, conditions } = request;
  const scope = writing(request.scope);
  requireScope(scope.caller, type, 'update');
  const asked = requiredParameter('meta', operationParameters(objectBody(request.body))('meta')?.valueMeta);
  const before = await editableVersion(scope, { type, id });
  if (!before) throw notFound();
  requireVersion(conditions, before);
  if (before.deleted) throw gone();
  requireAuthorship(scope.caller, before);
  const tree = parseLossless(before.text);
  if (!isResource(tree) || !isLosslessObject(asked)) return answerWith(metaOf(before));
  const after = changed(metaOf(before), asked, change);
  // What is there already makes no version.
  if (canonicalText(after) === canonicalText(metaOf(before))) return answerWith(after);
  const written = await appendVersion(scope, { ...tree, meta: after }, { id, replaces: before });
  return { ...answerWith(metaOf(written)), written };
}

/** `POST Type/id/$meta-add`: tags, labels and profiles, as a further version. */
export async function metaAdd(request: FhirRequest): Promise<FhirAnswer> {
  return changeMeta(request, 'add');
}

/** `POST Type/id/$meta-delete`. */
export async function metaDelete(request: FhirRequest): Promise<FhirAnswer> {
  return changeMeta(request, 'delete');
}
