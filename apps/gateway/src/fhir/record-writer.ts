import {
  canonicalText,
  isLosslessObject,
  type LosslessObject,
  type LosslessResource,
  referencesOf,
  subjectsOf,
  toPlain,
  withField,
} from '@careledger/fhir';
import type { Resource } from '@medplum/fhirtypes';
import { issuesToRecord, type Validation, validationOf } from '../validation/index.ts';
import {
  type NewVersion,
  RESOURCE_BYTES_MAX,
  type StoredVersion,
  SUBJECTS_MAX,
  type ValidationSummary,
} from '../vault/index.ts';
import { FhirError } from './fhir-error.ts';

/** A version that is ready for the vault, and what else the writer needs of it. */
export interface ComposedVersion {
  readonly version: NewVersion;
  readonly plain: Resource;
  readonly validation: Validation;
}

export interface CompositionOptions {
  readonly resource: LosslessResource;
  readonly id: string;
  readonly actor: string;
  /** The gateway's clock, in milliseconds. */
  readonly now: number;
  readonly replaces?: StoredVersion | undefined;
  /** Base URLs, with a last slash, whose absolute references are our own. */
  readonly ownBases: readonly string[];
  /** Patients whom it is about without naming them: those of a Provenance's targets. */
  readonly alsoAbout?: readonly string[] | undefined;
  /** How an import judged it already: existing data of elsewhere is kept and flagged. Our own writes are refused. */
  readonly imported?: Validation | undefined;
}

/** The resource with server-set id, version and time; everything else stays as it was written. */
function withIdentity(
  resource: LosslessResource,
  identity: { readonly id: string; readonly versionId: string; readonly lastUpdated: string },
): LosslessResource {
  const { id, versionId, lastUpdated } = identity;
  const before: LosslessObject = isLosslessObject(resource.meta) ? resource.meta : {};
  const meta = { ...before, versionId, lastUpdated };
  return withField(withField(resource, 'id', id), 'meta', meta) as LosslessResource;
}

function summaryOf(validation: Validation): ValidationSummary {
  const { validator, valid } = validation;
  const issues = issuesToRecord(validation);
  return {
    result: valid ? 'valid' : 'flagged',
    validator: `${validator.name}/${validator.version}`,
    ...(issues.length === 0 ? {} : { issues: JSON.stringify(issues) }),
  };
}

function refuseInvalid(validation: Validation): never {
  throw new FhirError({
    status: 422,
    code: 'invalid',
    message: 'The resource is not valid FHIR R4.',
    help: 'Each issue names the element that is wrong.',
    issues: validation.issues,
  });
}

function tooManyPatients(): FhirError {
  return new FhirError({
    status: 422,
    code: 'too-costly',
    message: `The resource is about more than ${SUBJECTS_MAX} patients.`,
    help: 'Split it.',
  });
}

/** Patient ids of ours that a resource is about. @throws {@link FhirError} 422 when it may be about one we cannot name. */
export function patientsOf(plain: Resource, ownBases: readonly string[]): readonly string[] {
  const { patients, unresolved } = subjectsOf(plain as never, { ownBases });
  if (unresolved.length > 0) {
    throw new FhirError({
      status: 422,
      code: 'not-found',
      message: 'The resource may be about a patient whom this gateway cannot identify.',
      help: 'Refer to a Patient of this gateway as Patient/<id>.',
      expression: unresolved.map(({ expression }) => expression),
    });
  }
  if (patients.length > SUBJECTS_MAX) {
    throw tooManyPatients();
  }
  return patients.map((reference) => reference.slice('Patient/'.length));
}

/** @throws {@link FhirError} 422. */
function withOthers(patients: readonly string[], others: readonly string[] = []): readonly string[] {
  const all = [...new Set([...patients, ...others])];
  if (all.length > SUBJECTS_MAX) throw tooManyPatients();
  return all;
}

/**
 * Makes the next version of a resource: sets id and meta on the lossless tree, fixes its canonical text, validates, and
 * says whose record it is.
 *
 * @throws {@link FhirError} 422 for what is invalid (unless imported), too large, or about nobody we know.
 */
export function composeVersion(options: CompositionOptions): ComposedVersion {
  const { resource, id, replaces } = options;
  const version = (replaces?.version ?? 0) + 1;
  const time = Math.max(options.now, (replaces?.time ?? 0) + 1);
  const lastUpdated = new Date(time).toISOString();
  const tree = withIdentity(resource, { id, versionId: String(version), lastUpdated });
  const text = canonicalText(tree);
  if (Buffer.byteLength(text) > RESOURCE_BYTES_MAX) {
    throw new FhirError({
      status: 413,
      code: 'too-long',
      message: `The resource is larger than ${RESOURCE_BYTES_MAX} bytes.`,
      help: 'Keep large content as an attachment elsewhere and refer to it.',
    });
  }
  const plain = toPlain(tree) as unknown as Resource;
  const validation = options.imported ?? validationOf(plain);
  if (!validation.valid && !options.imported) refuseInvalid(validation);
  return {
    plain,
    validation,
    version: {
      type: resource.resourceType,
      ...{ id, version, time, text },
      subjects: withOthers(patientsOf(plain, options.ownBases), options.alsoAbout),
      actor: options.actor,
      validation: summaryOf(validation),
      ...(replaces ? { replaces } : {}),
    },
  };
}

/** What refusing a resource that names patients we do not have says. */
export function unknownPatients(plain: Resource, missing: ReadonlySet<string>): FhirError {
  const expressions = referencesOf(plain as never)
    .filter(({ type, id }) => type === 'Patient' && id !== undefined && missing.has(id))
    .map(({ expression }) => expression);
  return new FhirError({
    status: 422,
    code: 'not-found',
    message: 'The resource names a patient that does not exist here.',
    help: 'Create the Patient first, or in the same transaction.',
    expression: expressions.length > 0 ? expressions : [plain.resourceType],
  });
}
