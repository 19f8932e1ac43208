import type { ServedOperation } from './fhir/index.ts';

const DEFINITIONS = 'https://careledger.example/fhir/OperationDefinition';

function own(name: string, type?: string): ServedOperation {
  return { name, definition: `${DEFINITIONS}/${name}`, ...(type === undefined ? {} : { type }) };
}

/** Operations of this project that every gateway serves, for `/metadata`. `*` is every type. */
export const OWN_OPERATIONS: readonly ServedOperation[] = [own('provenance', '*'), own('summary', 'Patient')];

/** Those that come with the exchange between members. */
export const EXCHANGE_OPERATIONS: readonly ServedOperation[] = [
  own('records'),
  own('acknowledge'),
  own('retract'),
  own('revoke', 'Consent'),
  own('move', '*'),
  ...['introduce', 'locate', 'fetch', 'longitudinal', 'access-history', 'accounting-of-disclosures'].map(
    (name) => own(name, 'Patient'),
  ),
];
