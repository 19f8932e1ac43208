import type { Scope } from '../caller.ts';
import { RECORD_CLASSES, type RecordClass } from './record-classes.ts';
import { parseScope } from './scopes.ts';

/** What a person can be at this gateway. A user may have several. */
export const ROLES = [
  'provider',
  'payer',
  'patient',
  'pharmacy',
  'manufacturer',
  'wholesaler',
  'dispenser',
  'regulator',
  'public-health',
  'researcher',
  'auditor',
  'validator',
  'observer',
] as const;
export type Role = (typeof ROLES)[number];

/** SMART's letters: create, read, update, delete, search; in that order. */
type Letters = 'rs' | 'crs' | 'crus' | 'cruds';

/**
 * The role matrix: what is not written here is denied. A patient's row holds for the patient's own records; the ledger's
 * own roles (`validator`, `observer`) run and watch nodes, which needs no record at all.
 */
const MATRIX: Readonly<Record<Role, Readonly<Partial<Record<RecordClass, Letters>>>>> = {
  provider: {
    directory: 'rs',
    person: 'crus',
    clinical: 'cruds',
    medication: 'cruds',
    immunization: 'cruds',
    financial: 'crs',
    consent: 'rs',
    provenance: 'crs',
  },
  payer: { directory: 'rs', person: 'rs', financial: 'cruds', consent: 'rs', provenance: 'rs' },
  patient: {
    directory: 'rs',
    person: 'rs',
    clinical: 'crus',
    medication: 'rs',
    immunization: 'rs',
    financial: 'rs',
    consent: 'crus',
    provenance: 'rs',
    audit: 'rs',
  },
  pharmacy: {
    directory: 'rs',
    person: 'rs',
    medication: 'cruds',
    immunization: 'crus',
    financial: 'crs',
    supply: 'crs',
    consent: 'rs',
    provenance: 'crs',
  },
  manufacturer: { directory: 'rs', supply: 'crus' },
  wholesaler: { directory: 'rs', supply: 'crus' },
  dispenser: { directory: 'rs', supply: 'crus' },
  regulator: { directory: 'rs', supply: 'rs', population: 'rs' },
  'public-health': { directory: 'rs', person: 'rs', immunization: 'crus', population: 'crus' },
  researcher: { directory: 'rs', population: 'crus' },
  auditor: { directory: 'rs', consent: 'rs', provenance: 'rs', audit: 'rs' },
  validator: {},
  observer: { directory: 'rs' },
};

/** Roles whose work begins in a chart: they may start an app for a patient they have open. */
const LAUNCHING: ReadonlySet<Role> = new Set(['provider', 'pharmacy', 'payer']);

export function isRole(word: unknown): word is Role {
  return ROLES.some((role) => role === word);
}

/** May a user with these roles start an app for a patient? */
export function mayLaunch(roles: readonly Role[]): boolean {
  return roles.some((role) => LAUNCHING.has(role));
}

function contextsOf(role: Role): readonly Scope['context'][] {
  return role === 'patient' ? ['patient'] : ['user', 'patient'];
}

function ceilingOf(role: Role): readonly Scope[] {
  const classes = Object.entries(MATRIX[role]) as readonly [RecordClass, Letters][];
  const texts = contextsOf(role).flatMap((context) =>
    classes.flatMap(([name, letters]) => RECORD_CLASSES[name].map((type) => `${context}/${type}.${letters}`)),
  );
  return texts.map(parseScope).filter((scope) => scope !== undefined);
}

const CEILINGS = new Map<Role, readonly Scope[]>(ROLES.map((role) => [role, ceilingOf(role)]));

/** The most that a user with these roles may do, as scopes: what several roles permit adds up. */
export function roleCeiling(roles: readonly Role[]): readonly Scope[] {
  return roles.flatMap((role) => CEILINGS.get(role) ?? []);
}
