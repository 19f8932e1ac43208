import {
  canonicalText,
  isLosslessObject,
  type LosslessResource,
  type LosslessValue,
  referencesOf,
  rewriteReferences,
  subjectsOf,
  toPlain,
  withField,
  withoutField,
} from '@careledger/fhir';
import { sha256, utf8 } from '@careledger/primitives';
import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import { isR4ResourceType, type Validation, validationOf } from '../validation/index.ts';
import type { ImportEntry } from './import-entries.ts';
import type { ImportProblem } from './import-report.ts';
import type { ImportWrite } from './import-target.ts';
import type { ReferenceIndex, Resolution } from './reference-index.ts';

/** An entry ready to store, or the reasons to refuse it. */
export type Preparation =
  | { readonly ok: true; readonly write: ImportWrite; readonly problems: readonly ImportProblem[] }
  | { readonly ok: false; readonly problems: readonly ImportProblem[] };

const PATIENT_NOT_FOUND = 'The patient is not here and not imported';

function problem(code: ImportProblem['code'], expression: string, text: string): ImportProblem {
  return { code, expression, text };
}

/** The resource without what a server gives to a version: the vault gives its own. */
function withoutServerMeta(resource: LosslessResource): LosslessResource {
  if (!isLosslessObject(resource.meta)) return resource;
  const meta = withoutField(withoutField(resource.meta, 'versionId'), 'lastUpdated');
  const kept =
    Object.keys(meta).length === 0 ? withoutField(resource, 'meta') : withField(resource, 'meta', meta);
  return kept as LosslessResource;
}

function versionIdOf(resource: LosslessResource): string | undefined {
  const versionId = isLosslessObject(resource.meta) ? resource.meta.versionId : undefined;
  return typeof versionId === 'string' ? versionId : undefined;
}

async function resolutionsOf(
  entry: ImportEntry,
  resource: LosslessResource,
  index: ReferenceIndex,
): Promise<ReadonlyMap<string, Resolution>> {
  const texts = new Set<string>();
  rewriteReferences<LosslessValue>(resource, (reference) => {
    texts.add(reference);
    return undefined;
  });
  const resolutions = new Map<string, Resolution>();
  for (const text of texts) resolutions.set(text, await index.resolve(text, entry.fullUrl));
  return resolutions;
}

function referenceProblems(
  resource: LosslessResource,
  resolutions: ReadonlyMap<string, Resolution>,
): readonly ImportProblem[] {
  const problems: ImportProblem[] = [];
  for (const { expression, reference = '' } of referencesOf(resource)) {
    const kind = resolutions.get(reference)?.kind;
    if (kind === 'missing') {
      problems.push(
        problem('import/reference-not-found', expression, 'The target is not here and not imported'),
      );
    } else if (kind === 'ambiguous') {
      problems.push(problem('import/reference-ambiguous', expression, 'More than one resource matches'));
    }
  }
  return problems;
}

/** Why the resource cannot be filed under its patients' keys. */
function subjectProblems(
  resource: LosslessResource,
  resolutions: ReadonlyMap<string, Resolution>,
): readonly ImportProblem[] {
  const { patients, unresolved } = subjectsOf(resource);
  const problems = unresolved.map(({ expression, reason }) =>
    reason === 'not-resolved'
      ? problem('import/patient-not-found', expression, PATIENT_NOT_FOUND)
      : problem('import/subject-unresolved', expression, `The patient is not identified: ${reason}`),
  );
  for (const { expression, reference = '', type, id } of referencesOf(resource)) {
    const isMissing = resolutions.get(reference)?.kind === 'missing';
    if (isMissing && type === 'Patient' && patients.includes(`Patient/${id}`)) {
      problems.push(problem('import/patient-not-found', expression, PATIENT_NOT_FOUND));
    }
  }
  return problems;
}

function withIssues(validation: Validation, problems: readonly ImportProblem[]): Validation {
  const issues: OperationOutcomeIssue[] = problems.map(({ expression, text }) => ({
    severity: 'warning',
    code: 'not-found',
    details: { text },
    expression: [expression],
  }));
  return { ...validation, issues: [...validation.issues, ...issues] };
}

function invalidProblems(validation: Validation): readonly ImportProblem[] {
  return validation.issues
    .filter(({ severity }) => severity === 'error' || severity === 'fatal')
    .map(({ expression, details }) =>
      problem('import/invalid', expression?.[0] ?? 'Resource', details?.text ?? 'Not valid by R4'),
    );
}

/** Resolves an entry's references, gives it its id, validates it, and says whether it can be stored. */
export async function prepareEntry(entry: ImportEntry, index: ReferenceIndex): Promise<Preparation> {
  const { resource: original, source, fullUrl } = entry;
  if (!original) return { ok: false, problems: entry.problems };
  if (!isR4ResourceType(original.resourceType)) {
    const text = 'R4 defines no such resource type';
    return { ok: false, problems: [problem('import/not-a-resource', 'Resource.resourceType', text)] };
  }
  const resolutions = await resolutionsOf(entry, original, index);
  const sourceVersion = versionIdOf(original);
  const identified = withField(
    withoutServerMeta(original),
    'id',
    await index.idOf(fullUrl),
  ) as LosslessResource;
  const resource = rewriteReferences(identified, (reference) => {
    const resolution = resolutions.get(reference);
    return resolution?.kind === 'found' ? resolution.reference : undefined;
  });
  const validation = validationOf(toPlain(resource));
  const tooLong = validation.issues.find(({ code }) => code === 'too-long');
  if (tooLong) {
    const expression = tooLong.expression?.[0] ?? 'Resource';
    return { ok: false, problems: [problem('import/too-large', expression, tooLong.details?.text ?? '')] };
  }
  const refusals = subjectProblems(resource, resolutions);
  if (refusals.length > 0) return { ok: false, problems: refusals };
  const dangling = referenceProblems(resource, resolutions);
  const contentHash = sha256(utf8(canonicalText(resource)));
  return {
    ok: true,
    problems: [...invalidProblems(validation), ...dangling],
    write: {
      ...{ source, fullUrl, resource, contentHash, validation: withIssues(validation, dangling) },
      ...(sourceVersion === undefined ? {} : { sourceVersion }),
    },
  };
}
