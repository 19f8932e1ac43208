import type { IdentifierKind } from './kinds.ts';

/** A label that announces a value. It needs one behind it: an organization may be called `mother-and-child`. */
function label(words: string): RegExp {
  return new RegExp(`\\b(${words})[\\s:#=.]`, 'i');
}

/**
 * Rules of version 1, in order: the first that matches names the finding. Never changed once a chain runs on it: a
 * better detector is version 2. Patterns have no nested repetition, so that each is linear in the text.
 */
const RULES: readonly (readonly [IdentifierKind, RegExp])[] = [
  [
    'school-record',
    label('ferpa|student (id|number|record)|school (record|transcript|nurse)|education record'),
  ],
  [
    'school-record',
    label('individuali[sz]ed education|iep|transcript|report card|20 u\\.?s\\.?c\\.? ?§? ?1232g'),
  ],
  ['payment-card', /%b\d{12,19}\^[^^]{2,26}\^|;\d{12,19}=\d{4}/i],
  ['payment-card', label('cvv2?|cvc2?|card (security|verification) (code|value)')],
  ['social-security-number', /(^|[^0-9])\d{3}[- ]\d{2}[- ]\d{4}($|[^0-9])/],
  ['social-security-number', label('ssn|social security')],
  ['email', /[^\s@]{1,64}@[^\s@]{1,255}\.[a-z]{2,}/i],
  ['web-address', /\b(https?|ftp|file):\/\/|\bwww\./i],
  ['internet-address', /(^|[^0-9.])(\d{1,3}\.){3}\d{1,3}($|[^0-9.])/],
  ['internet-address', /\b[0-9a-f]{1,4}:([0-9a-f]{1,4}:){6}[0-9a-f]{1,4}\b|\b[0-9a-f]{1,4}::[0-9a-f]{1,4}/i],
  ['fax', label('fax|facsimile')],
  ['telephone', /(^|[^0-9])(\+?1[-. ]?)?\(?[2-9]\d{2}\)?[-. ]\d{3}[-. ]\d{4}($|[^0-9])/],
  ['telephone', /\+\d{1,3}[-. ]?\d{2,4}[-. ]?\d{3,4}[-. ]?\d{2,4}/],
  ['telephone', label('tel|phone|telephone|mobile')],
  ['medical-record-number', label('mrn|medical record|chart (no|number)|patient (id|no|number)')],
  [
    'health-plan-number',
    label('(member|subscriber|beneficiary|policy|medicaid|medicare) (id|no|number)|hicn|mbi'),
  ],
  ['account-number', label('account|acct|iban')],
  ['licence-number', label('licen[cs]e|certificate|dea|npi')],
  ['vehicle-identifier', label('vin|license plate|number plate')],
  [
    'vehicle-identifier',
    /\b(?=[a-hj-npr-z0-9]*\d)(?=[a-hj-npr-z0-9]*[a-hj-npr-z])[a-hj-npr-z0-9]{11}\d{6}\b/i,
  ],
  ['device-identifier', /\(01\)\d{14}/],
  ['device-identifier', label('udi|serial (no|number)|imei|device id')],
  ['biometric-identifier', label('fingerprint|retina|iris scan|voice ?print|face ?print|genome sequence')],
  ['photograph', /data:image\//i],
  ['photograph', label('photo|photograph|selfie|portrait')],
  ['date', /(^|[^0-9])(19|20)\d{2}[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12]\d|3[01])($|[^0-9])/],
  ['date', /(^|[^0-9])(0?[1-9]|[12]\d|3[01])[-/.](0?[1-9]|[12]\d|3[01])[-/.](19|20)?\d{2}($|[^0-9])/],
  [
    'date',
    /\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}(st|nd|rd|th)?,? (19|20)\d{2}\b/i,
  ],
  ['date', label('dob|date of birth|born|birth ?date|deceased|admitted|discharged')],
  ['geography', /(^|[^0-9])\d{5}-\d{4}($|[^0-9])/],
  ['geography', label('zip( ?code)?|post ?code')],
  [
    'geography',
    /\b\d{1,6} [a-z]{2,30} (street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way)\b/i,
  ],
  ['name', /\b(mr|mrs|ms|miss|dr|prof)\.? [a-z]{2,}/i],
  ['name', label('patient|surname|(first|last|family|given) ?name|mother|father|spouse|next of kin')],
  ['name', /(^|\s)[A-Z][a-z]{1,20},? [A-Z][a-z]{1,20}($|[\s,.;])/],
  ['other-identifier', /(^|[^0-9])\d{8,}($|[^0-9])/],
];

const CARD_DIGITS = { min: 12, max: 19 };

/** Luhn's check (ISO/IEC 7812-1). */
function isLuhnValid(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** Digits in groups, as people write card numbers; every stretch that could be one is checked. */
function hasCardNumber(text: string): boolean {
  for (const [run] of text.matchAll(/\d[\d .-]{10,40}/g)) {
    const digits = run.replace(/\D/g, '');
    for (let length = CARD_DIGITS.min; length <= CARD_DIGITS.max; length += 1) {
      for (let start = 0; start + length <= digits.length; start += 1) {
        const part = digits.slice(start, start + length);
        if (/^[2-6]/.test(part) && new Set(part).size > 1 && isLuhnValid(part)) return true;
      }
    }
  }
  return false;
}

/** What a text gives away by the rules of version 1. */
export function detectVersion1(text: string): IdentifierKind | undefined {
  if (hasCardNumber(text)) return 'payment-card';
  return RULES.find(([, pattern]) => pattern.test(text))?.[0];
}
