/**
 * Outside code systems: how their codes are written, check digits included. Whether a code exists only their publishers'
 * lists say, which are not part of R4 and not free to ship.
 */
interface CodeForm {
  readonly name: string;
  readonly isWellFormed: (code: string) => boolean;
}

/** LOINC's check digit: Luhn's mod 10 over the number before the dash (LOINC Users' Guide, appendix C). */
function hasLoincDigit(code: string): boolean {
  // Parts, answers and their lists count their digit in a way of their own: their form alone is checked.
  if (/^(?:LA|LP|LG|LL)\d{1,7}-\d$/.test(code)) return true;
  const match = /^(\d{1,7})-(\d)$/.exec(code);
  if (!match) return false;
  let sum = 0;
  for (const [place, digit] of [...(match[1] ?? '')].reverse().entries()) {
    const weighted = Number(digit) * (place % 2 === 0 ? 2 : 1);
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return (10 - (sum % 10)) % 10 === Number(match[2]);
}

const VERHOEFF_PRODUCT: readonly string[] = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
];
const VERHOEFF_PERMUTATION: readonly string[] = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
];

/** SNOMED CT's check digit: Verhoeff's dihedral check (SNOMED CT Release File Specification, appendix B). */
function hasSnomedDigit(code: string): boolean {
  // A post-coordinated expression begins with an identifier; the rest is a grammar of its own.
  const identifier = /^([1-9]\d{5,17})(?:\s*[|:+=].*)?$/.exec(code)?.[1];
  if (!identifier) return false;
  let check = 0;
  for (const [place, digit] of [...identifier].reverse().entries()) {
    const permuted = VERHOEFF_PERMUTATION[place % 8]?.charAt(Number(digit)) ?? '0';
    check = Number(VERHOEFF_PRODUCT[check]?.charAt(Number(permuted)));
  }
  return check === 0;
}

function matching(form: RegExp): (code: string) => boolean {
  return (code) => form.test(code);
}

const FORMS: ReadonlyMap<string, CodeForm> = new Map([
  ['http://loinc.org', { name: 'LOINC', isWellFormed: hasLoincDigit }],
  ['http://snomed.info/sct', { name: 'SNOMED CT', isWellFormed: hasSnomedDigit }],
  [
    'http://www.nlm.nih.gov/research/umls/rxnorm',
    { name: 'RxNorm', isWellFormed: matching(/^[1-9]\d{0,7}$/) },
  ],
  [
    'http://hl7.org/fhir/sid/icd-10-cm',
    { name: 'ICD-10-CM', isWellFormed: matching(/^[A-Z]\d[0-9AB](?:\.[0-9A-Z]{1,4})?$/) },
  ],
  [
    'http://hl7.org/fhir/sid/icd-10',
    { name: 'ICD-10', isWellFormed: matching(/^[A-Z]\d\d(?:\.[0-9A-Z]{1,4})?(?:-[A-Z]\d\d(?:\.\d)?)?$/) },
  ],
  ['http://hl7.org/fhir/sid/cvx', { name: 'CVX', isWellFormed: matching(/^\d{2,3}$/) }],
  [
    'http://hl7.org/fhir/sid/ndc',
    {
      name: 'NDC',
      isWellFormed: matching(/^(?:\d{4}-\d{4}-\d{2}|\d{5}-\d{3,4}-\d{2}|\d{5}-\d{4}-\d|\d{10,11})$/),
    },
  ],
  ['urn:iso:std:iso:4217', { name: 'ISO 4217', isWellFormed: matching(/^[A-Z]{3}$/) }],
  ['urn:ietf:bcp:47', { name: 'BCP 47', isWellFormed: matching(/^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/) }],
]);

/** What can be said of a code of a system that R4 does not define. */
export interface CodeVerdict {
  /** The system's name, or `other`: never the text of the resource. */
  readonly system: string;
  readonly isWellFormed: boolean;
}

/** How a code of an outside system is written. That it exists, this cannot say. */
export function outsideCode(system: string, code: string): CodeVerdict {
  const form = FORMS.get(system);
  return form
    ? { system: form.name, isWellFormed: form.isWellFormed(code) }
    : { system: 'other', isWellFormed: true };
}
