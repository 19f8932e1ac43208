export { FHIR_VERSION } from './definition-texts.ts';
export { type Definitions, loadDefinitions } from './definitions.ts';
export { type LoadedProfiles, loadProfiles } from './profile-packages.ts';
export { RESOURCE_LIMITS, type ResourceLimits } from './structure-check.ts';
export { type CanonicalQuantity, canonicalQuantity, isUcumUnit, UCUM_SYSTEM } from './units.ts';
export {
  ISSUES_MAX,
  isR4ResourceType,
  issuesToRecord,
  VALIDATOR,
  type Validation,
  type ValidationOptions,
  type Validator,
  validateResource,
  validationOf,
} from './validate-resource.ts';
