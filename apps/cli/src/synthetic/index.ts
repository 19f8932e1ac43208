export type { Custodian, SyntheticRecord } from './chart.ts';
export { generatePatients, SYNTHETIC_PATIENTS_MAX, type SyntheticOptions } from './generate-patients.ts';
