import {
  idOf,
  isLosslessObject,
  isResource,
  type LosslessObject,
  type LosslessResource,
  type LosslessValue,
  parseLossless,
} from '@careledger/fhir';
import type { RecordKey, StoredVersion } from '../../vault/index.ts';
import { requireAuthorship, requireScope } from '../access.ts';
import { FhirError, gone, notFound } from '../fhir-error.ts';
import {
  type FhirAnswer,
  type FhirRequest,
  parseJson,
  type RequestBody,
  type WriteScope,
  writing,
} from '../fhir-request.ts';
import { applyFhirPathPatch } from '../patch/fhirpath-patch.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { type Conditions, requireVersion } from '../preconditions.ts';
import { matchedKey } from './conditional-match.ts';
import { appendVersion, editableVersion } from './versions.ts';

export const JSON_PATCH_TYPE = 'application/json-patch+json';
const BASE64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;

type Patch =
  | { readonly kind: 'json-patch'; readonly operations: LosslessValue }
  | { readonly kind: 'fhirpath-patch'; readonly parameters: LosslessObject };

function wrongFormat(status: number): FhirError {
  return new FhirError({
    status,
    code: 'not-supported',
    message: 'The body is neither a JSON Patch nor a FHIRPath Patch.',
    help: 'Send application/json-patch+json, or Parameters as application/fhir+json; in a bundle a Binary that holds the former.',
  });
}

/** A JSON Patch stands in a bundle as a Binary (FHIR R4, http, section 3.1.0.6.1). */
function patchInEntry(tree: LosslessObject): Patch {
  if (tree.resourceType === 'Parameters') return { kind: 'fhirpath-patch', parameters: tree };
  const { resourceType, contentType, data } = tree;
  const isJsonPatch = resourceType === 'Binary' && contentType === JSON_PATCH_TYPE;
  if (!isJsonPatch || typeof data !== 'string' || !BASE64.test(data)) throw wrongFormat(400);
  return { kind: 'json-patch', operations: parseJson(Buffer.from(data, 'base64').toString('utf8')) };
}

function patchOf(body: RequestBody): Patch {
  if (body.kind === 'none') throw wrongFormat(400);
  if (body.kind === 'tree') return patchInEntry(body.tree);
  if (body.contentType.startsWith(JSON_PATCH_TYPE)) {
    return { kind: 'json-patch', operations: parseJson(body.text) };
  }
  const tree = parseJson(body.text);
  if (isLosslessObject(tree) && tree.resourceType === 'Parameters') {
    return { kind: 'fhirpath-patch', parameters: tree };
  }
  throw wrongFormat(415);
}

/** The stored version with the patch applied. Its type and id stay. @throws {@link FhirError} 422. */
function patched(before: StoredVersion, patch: Patch): LosslessResource {
  const tree = parseLossless(before.text);
  if (!isResource(tree)) throw new Error('a stored version is no resource');
  const after =
    patch.kind === 'json-patch'
      ? applyJsonPatch(tree, patch.operations)
      : applyFhirPathPatch(tree, patch.parameters);
  if (isResource(after) && after.resourceType === before.type && idOf(after) === before.id) return after;
  throw new FhirError({
    status: 422,
    code: 'processing',
    message: 'The patch changes the type or id of the resource.',
    help: 'Create another resource instead.',
    expression: [`${before.type}.id`],
  });
}

async function patchCurrent(
  scope: WriteScope,
  key: RecordKey,
  { patch, conditions }: { readonly patch: Patch; readonly conditions: Conditions },
): Promise<FhirAnswer> {
  const before = await editableVersion(scope, key);
  if (!before) throw notFound();
  requireVersion(conditions, before);
  if (before.deleted) throw gone();
  requireAuthorship(scope.caller, before);
  const written = await appendVersion(scope, patched(before, patch), { id: key.id, replaces: before });
  return { status: 200, version: written, written };
}

/** `PATCH Type/id`: what the patch does not touch keeps its text, down to the digits of its numbers. */
export async function patch(request: FhirRequest): Promise<FhirAnswer> {
  const scope = writing(request.scope);
  requireScope(scope.caller, request.type, 'patch');
  const { body, conditions } = request;
  return patchCurrent(scope, request, { patch: patchOf(body), conditions });
}

/** `PATCH Type?query`: the one that fits. */
export async function conditionalPatch(request: FhirRequest): Promise<FhirAnswer> {
  const { type, parameters, body, conditions } = request;
  const scope = writing(request.scope);
  requireScope(scope.caller, type, 'patch');
  const found = await matchedKey(scope, { type, parameters, expression: `${type}?` });
  if (!found) throw notFound();
  return patchCurrent(scope, found, { patch: patchOf(body), conditions });
}
