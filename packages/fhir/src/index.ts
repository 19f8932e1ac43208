export { canonicalText } from './canonical-text.ts';
export { type LosslessPath, valueAt, withField, withoutField, withValueAt } from './edit-lossless.ts';
export { JsonError, type JsonErrorCode } from './json-error.ts';
export {
  ACT_CODE_SYSTEM,
  CONFIDENTIALITY_SYSTEM,
  type Confidentiality,
  confidentialityOf,
  labelsOf,
  type SecurityLabel,
} from './labels.ts';
export {
  isLosslessArray,
  isLosslessObject,
  type LosslessArray,
  LosslessNumber,
  type LosslessObject,
  type LosslessValue,
  type PlainObject,
  type PlainValue,
  toLossless,
  toPlain,
} from './lossless-value.ts';
export { JSON_LIMITS, type JsonLimits, parseLossless } from './parse-lossless.ts';
export { PATIENT_COMPARTMENT } from './patient-compartment.ts';
export {
  type FoundReference,
  type ParsedReference,
  parseReference,
  type ReferenceKind,
  type ReferenceMapping,
  readReference,
  referencesOf,
  rewriteReferences,
} from './references.ts';
export { type FhirResource, idOf, isResource, isResourceId, type LosslessResource } from './resource.ts';
export {
  isPatientRelated,
  type Subjects,
  type SubjectsOptions,
  subjectsOf,
  type UnresolvedSubject,
} from './subjects.ts';
