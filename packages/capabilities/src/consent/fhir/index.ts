export type { ConsentIssue } from './elements.ts';
export {
  GRANT_EXTENSION,
  type Grant,
  grantExtension,
  INTRODUCTION_EXTENSION,
  introductionExtension,
  readGrant,
  readIntroduction,
} from './grant-extension.ts';
export {
  CONSENT_PURPOSES,
  type ConsentPurpose,
  type ConsentTerms,
  consentToTerms,
  type FhirConsent,
  termsToConsent,
} from './terms.ts';
