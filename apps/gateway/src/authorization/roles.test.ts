import { readFileSync } from 'node:fs';
import { organizationId } from '@careledger/primitives';
import { describe, expect, it } from 'vitest';
import type { Caller } from '../caller.ts';
import { requireAllowed } from './authenticate.ts';
import { RECORD_CLASSES } from './record-classes.ts';
import { isRole, mayLaunch, ROLES, type Role } from './roles.ts';
import type { Interaction } from './scopes.ts';
import { userCaller } from './user-caller.ts';

/** What the consortium agreed on, written by hand beside the code: who reviews roles reads this file. */
const MATRIX_FILE = new URL('roles.matrix.csv', import.meta.url);

const INTERACTIONS: Readonly<Record<string, readonly Interaction[]>> = {
  create: ['create'],
  read: ['read', 'vread', 'history-instance'],
  update: ['update', 'patch'],
  delete: ['delete'],
  search: ['search-type', 'history-type'],
};

interface Cell {
  readonly operation: string;
  readonly role: Role;
  readonly expected: string;
}

function readMatrix(): readonly Cell[] {
  const [head = '', ...rows] = readFileSync(MATRIX_FILE, 'utf8').trimEnd().split('\n');
  const roles = head.split(',').slice(1);
  return rows.flatMap((row) => {
    const [operation = '', ...cells] = row.split(',');
    return cells.map((expected, place) => {
      const role = roles[place];
      if (!isRole(role)) throw new Error(`the matrix names a role that is none: ${role}`);
      return { operation, role, expected };
    });
  });
}

/** A user of this role whose app asked for everything there is. */
function callerWith(role: Role): Caller {
  const caller = userCaller({
    user: { subject: 'u1', roles: [role], ...(role === 'patient' ? { patient: 'p1' } : {}) },
    organization: organizationId('general-hospital'),
    scope: role === 'patient' ? 'patient/*.cruds user/*.cruds system/*.cruds' : 'user/*.cruds system/*.cruds',
    clientScopes: ['patient/*.cruds', 'user/*.cruds', 'system/*.cruds'],
  });
  return caller ?? expect.fail('the user has no standing');
}

function decide(caller: Caller, type: string, interaction: Interaction): string {
  try {
    requireAllowed(caller, type, interaction);
    return 'allow';
  } catch (error) {
    expect(error).toMatchObject({ code: 'scope/too-narrow', status: 403 });
    return 'deny';
  }
}

const cells = readMatrix();

describe('NET-07: the role matrix', () => {
  it('holds every role and every class of records', () => {
    expect(new Set(cells.map((cell) => cell.role))).toEqual(new Set(ROLES));
    const classes = Object.keys(RECORD_CLASSES).flatMap((name) =>
      Object.keys(INTERACTIONS).map((operation) => `${operation} ${name}`),
    );
    expect(new Set(cells.map((cell) => cell.operation))).toEqual(new Set([...classes, 'launch an app']));
    expect(cells).toHaveLength((classes.length + 1) * ROLES.length);
  });

  it.each(ROLES)(
    'is what the gateway decides for a %s, cell by cell, for every type of the class',
    (role) => {
      const caller = callerWith(role);
      for (const { operation, expected } of cells.filter((cell) => cell.role === role)) {
        const [verb = '', name = ''] = operation.split(' ', 2);
        if (verb === 'launch') {
          expect([operation, mayLaunch([role]) ? 'allow' : 'deny']).toEqual([operation, expected]);
          continue;
        }
        for (const type of RECORD_CLASSES[name as keyof typeof RECORD_CLASSES]) {
          for (const interaction of INTERACTIONS[verb] ?? []) {
            const decided = decide(caller, type, interaction);
            expect([role, interaction, type, decided]).toEqual([role, interaction, type, expected]);
          }
        }
      }
    },
  );

  it('denies what stands in no class, and every type to who has no role', () => {
    for (const role of ROLES) expect(decide(callerWith(role), 'VerificationResult', 'read')).toBe('deny');
    const nobody = userCaller({
      user: { subject: 'u1', roles: [] },
      organization: organizationId('general-hospital'),
      scope: 'user/*.cruds',
      clientScopes: ['user/*.cruds'],
    });
    expect(nobody?.scopes).toEqual([]);
  });

  it('adds up for who has two roles, but being a patient is not added to', () => {
    const options = {
      organization: organizationId('general-hospital'),
      scope: 'user/*.cruds patient/*.rs',
      clientScopes: ['user/*.cruds', 'patient/*.rs'],
    };
    const both = userCaller({
      ...options,
      scope: 'user/*.cruds',
      user: { subject: 'u', roles: ['auditor', 'payer'] },
    });
    expect([decide(both ?? expect.fail(), 'AuditEvent', 'read'), both?.kind]).toEqual(['allow', 'user']);
    expect(decide(both ?? expect.fail(), 'Claim', 'update')).toBe('allow');
    const patient = userCaller({
      ...options,
      user: { subject: 'u', roles: ['patient', 'provider'], patient: 'p1' },
    });
    expect(patient).toMatchObject({ kind: 'patient', patientId: 'p1', roles: ['patient'] });
    expect(decide(patient ?? expect.fail(), 'Condition', 'update')).toBe('deny');
  });

  it('stands below the app’s registration: neither widens the other', () => {
    const caller = userCaller({
      user: { subject: 'u', roles: ['provider'] },
      organization: organizationId('general-hospital'),
      scope: 'user/*.cruds',
      clientScopes: ['user/Observation.rs?category=laboratory', 'user/AuditEvent.rs'],
    });
    expect(caller?.scopes).toHaveLength(1);
    expect(caller?.scopes[0]).toMatchObject({ type: 'Observation', update: false });
  });
});

describe('NET-07: an app in one patient’s context', () => {
  const options = {
    user: { subject: 'u', roles: ['provider'] as const },
    organization: organizationId('general-hospital'),
    scope: 'patient/*.rs user/Practitioner.rs',
    clientScopes: ['patient/*.rs', 'user/*.rs'],
  };

  it('is bound to that patient, on behalf of the user', () => {
    expect(userCaller({ ...options, patient: 'p1' })).toMatchObject({
      kind: 'patient',
      patientId: 'p1',
      isOnBehalf: true,
    });
  });

  it('speaks for nobody without a patient, or for another than the patient who signed in', () => {
    expect(userCaller(options)).toBeUndefined();
    const patient = { subject: 'u', roles: ['patient'] as const, patient: 'p1' };
    expect(userCaller({ ...options, user: patient, patient: 'p2' })).toBeUndefined();
    expect(userCaller({ ...options, user: patient })).toMatchObject({ kind: 'patient', patientId: 'p1' });
    expect(userCaller({ ...options, user: { subject: 'u', roles: ['patient'] } })).toBeUndefined();
  });
});
