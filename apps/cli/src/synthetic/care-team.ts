import { Chart, type Entry, type SyntheticRecord } from './chart.ts';
import { concept, hl7 } from './codes.ts';
import { type Gender, humanName } from './people.ts';
import { randomFrom } from './random.ts';
import { YEAR } from './time.ts';

/** The organizations and practitioners that all patients share, as the hospital and as the payer know them. */
export interface CareTeam {
  readonly hospital: Entry;
  readonly practitioners: readonly [Entry, ...Entry[]];
  readonly payer: Entry;
  /** The hospital in the payer's books. */
  readonly provider: Entry;
  readonly records: readonly SyntheticRecord[];
}

const PRACTITIONERS = 6;
const NPI = 'http://hl7.org/fhir/sid/us-npi';

function organization(
  chart: Chart,
  custodian: 'clinical' | 'claims',
  since: number,
  about: { kind: string; name: string },
): Entry {
  return chart.add(
    custodian,
    'Organization',
    { at: since },
    {
      active: true,
      type: [concept(hl7('organization-type', about.kind))],
      name: about.name,
      telecom: [{ system: 'phone', value: '413-555-0100' }],
    },
  );
}

export function makeCareTeam(seed: string, now: number): CareTeam {
  const chart = new Chart(`${seed}/care-team`);
  const random = randomFrom(`${seed}/care-team`);
  const since = now - 20 * YEAR;
  const hospital = organization(chart, 'clinical', since, { kind: 'prov', name: 'General Hospital' });
  const practitioner = (number: number): Entry => {
    const gender: Gender = number % 2 === 0 ? 'female' : 'male';
    return chart.add(
      'clinical',
      'Practitioner',
      { at: since },
      {
        // Not a real number: NPIs start with 1 or 2.
        identifier: [
          { system: NPI, value: `9999${String(random.integer(0, 99_999)).padStart(5, '0')}${number}` },
        ],
        active: true,
        name: [{ ...humanName(random, gender), prefix: ['Dr.'] }],
        gender,
      },
    );
  };
  const others = Array.from({ length: PRACTITIONERS - 1 }, (_, index) => practitioner(index + 1));
  return {
    hospital,
    practitioners: [practitioner(0), ...others],
    payer: organization(chart, 'claims', since, { kind: 'pay', name: 'Acme Health Plan' }),
    provider: organization(chart, 'claims', since, { kind: 'prov', name: 'General Hospital' }),
    records: chart.records(),
  };
}
