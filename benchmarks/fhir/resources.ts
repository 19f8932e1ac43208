/** Resources of made-up patients, about as long as a laboratory's. */

export function patient(number: number): string {
  return JSON.stringify({
    resourceType: 'Patient',
    active: true,
    identifier: [{ system: 'urn:example:benchmark', value: `B-${number}` }],
    name: [{ family: `Benchmark${number}`, given: ['Ada'] }],
    gender: 'female',
    birthDate: '1970-01-01',
  });
}

const CODES = ['718-7', '2345-7', '2160-0', '2951-2', '2823-3', '17861-6', '1975-2', '1742-6'] as const;

export function codeOf(number: number): string {
  return CODES[number % CODES.length] ?? CODES[0];
}

export interface ObservationOf {
  readonly id?: string;
  readonly subject: string;
  readonly number: number;
}

export function observation({ id, subject, number }: ObservationOf): object {
  return {
    resourceType: 'Observation',
    ...(id === undefined ? {} : { id }),
    status: 'final',
    category: [
      {
        coding: [
          { system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' },
        ],
      },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: codeOf(number) }] },
    subject: { reference: subject },
    effectiveDateTime: new Date(1_700_000_000_000 + number * 60_000).toISOString(),
    valueQuantity: {
      value: 10 + (number % 50),
      unit: 'g/dL',
      system: 'http://unitsofmeasure.org',
      code: 'g/dL',
    },
  };
}

/** A transaction of this many observations. */
export function transactionBundle(subject: string, count: number): string {
  const entry = Array.from({ length: count }, (_, number) => ({
    resource: observation({ subject, number }),
    request: { method: 'POST', url: 'Observation' },
  }));
  return JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
}
