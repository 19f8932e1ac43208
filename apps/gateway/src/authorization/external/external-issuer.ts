import { readFile } from 'node:fs/promises';
import type { OrganizationId } from '@careledger/primitives';
import { type JWTPayload, jwtVerify } from 'jose';
import type { Caller } from '../../caller.ts';
import { CLOCK_SKEW_SECONDS } from '../limits.ts';
import { isRole, type Role } from '../roles.ts';
import { userCaller } from '../user-caller.ts';
import { openKeySource } from './key-source.ts';

/** Algorithms that a configuration may name: signatures by a key pair, no shared secrets, no `none`. */
const ALGORITHMS: ReadonlySet<string> = new Set([
  'RS256',
  'RS384',
  'PS256',
  'PS384',
  'ES256',
  'ES384',
  'EdDSA',
]);
const SUBJECT = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,95}$/;
const FHIR_ID = /^[A-Za-z0-9.-]{1,64}$/;

/** Another OpenID provider whose access tokens are good here. One entry of `issuers.json`. */
export interface ExternalIssuerConfiguration {
  /** `https://login.example/realms/hospital`: exactly as its tokens say it. */
  readonly issuer: string;
  /** What its tokens must be made for; this gateway's FHIR base URL by default. */
  readonly audience?: string;
  readonly algorithms: readonly string[];
  /** The claim with the user's groups: `roles`, or a path such as `realm_access.roles`. */
  readonly rolesClaim: string;
  /** Its groups and our roles. A group that does not stand here is no role. */
  readonly roles: Readonly<Record<string, Role>>;
  /** The claim with the Patient's id here, for users who are patients. */
  readonly patientClaim?: string;
  /** The most that its tokens may do here. */
  readonly scopes: readonly string[];
  /** File with its certificate authority, PEM. */
  readonly certificateAuthorityFile?: string;
}

/** A configured issuer, ready to judge tokens. */
export interface ExternalIssuer {
  readonly issuer: string;
  /** @returns `undefined` where the claims make nobody. @throws jose's errors where the token is not good. */
  readonly authenticate: (token: string) => Promise<Caller | undefined>;
  readonly close: () => Promise<void>;
}

export interface ExternalIssuerOptions {
  readonly configuration: ExternalIssuerConfiguration;
  readonly organization: OrganizationId;
  /** This gateway's FHIR base URL. */
  readonly audience: string;
  readonly certificateAuthority?: string;
  /** Milliseconds. */
  readonly now: () => number;
}

function claimAt(payload: JWTPayload, path: string): unknown {
  let value: unknown = payload;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  return value;
}

function textsOf(value: unknown): readonly string[] {
  const list = Array.isArray(value) ? value : [value];
  return list.filter((entry) => typeof entry === 'string');
}

function callerOf(payload: JWTPayload, options: ExternalIssuerOptions): Caller | undefined {
  const { configuration, organization } = options;
  const { sub, scope, scp } = payload;
  if (sub === undefined || !SUBJECT.test(sub)) return undefined;
  const groups = textsOf(claimAt(payload, configuration.rolesClaim));
  const roles = groups
    .filter((group) => Object.hasOwn(configuration.roles, group))
    .map((group) => configuration.roles[group])
    .filter(isRole);
  if (roles.length === 0) return undefined;
  const { patientClaim } = configuration;
  const patient = patientClaim === undefined ? undefined : claimAt(payload, patientClaim);
  const isPatient = roles.includes('patient');
  if (isPatient && (typeof patient !== 'string' || !FHIR_ID.test(patient))) return undefined;
  return userCaller({
    user: { subject: sub, roles: [...new Set(roles)], ...(isPatient ? { patient: String(patient) } : {}) },
    organization,
    scope: typeof scope === 'string' ? scope : textsOf(scp).join(' '),
    clientScopes: configuration.scopes,
  });
}

/** Makes the judge of one issuer's tokens: signature, issuer, audience, time; then claims to roles. */
export function createExternalIssuer(options: ExternalIssuerOptions): ExternalIssuer {
  const { configuration, certificateAuthority, now } = options;
  const { issuer } = configuration;
  const keys = openKeySource({ issuer, now, ...(certificateAuthority ? { certificateAuthority } : {}) });
  return {
    issuer,
    authenticate: async (token) => {
      const { payload } = await jwtVerify(token, keys.key, {
        issuer,
        audience: configuration.audience ?? options.audience,
        algorithms: [...configuration.algorithms],
        requiredClaims: ['exp', 'iat', 'sub'],
        clockTolerance: CLOCK_SKEW_SECONDS,
        currentDate: new Date(now()),
      });
      return callerOf(payload, options);
    },
    close: keys.close,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws Error naming the place and what is wrong. */
function readIssuer(entry: unknown, place: string): ExternalIssuerConfiguration {
  const wrong = (what: string): never => {
    throw new Error(`${place}: ${what}`);
  };
  if (!isObject(entry)) return wrong('is not an object');
  const { issuer, algorithms, rolesClaim, roles, scopes } = entry;
  if (typeof issuer !== 'string' || URL.parse(issuer)?.protocol !== 'https:') {
    return wrong('issuer is not an https address');
  }
  const names = textsOf(algorithms);
  if (names.length === 0 || !names.every((name) => ALGORITHMS.has(name))) {
    return wrong('algorithms names none, or one that is not accepted');
  }
  if (typeof rolesClaim !== 'string') return wrong('rolesClaim is missing');
  if (!isObject(roles) || !Object.values(roles).every(isRole))
    return wrong('roles names a role that is none');
  const optional = ['audience', 'patientClaim', 'certificateAuthorityFile'].map((name) => [
    name,
    entry[name],
  ]);
  if (optional.some(([, value]) => value !== undefined && typeof value !== 'string')) {
    return wrong('audience, patientClaim or certificateAuthorityFile is not a text');
  }
  return {
    ...{ issuer, algorithms: names, rolesClaim, scopes: textsOf(scopes) },
    roles: roles as ExternalIssuerConfiguration['roles'],
    ...Object.fromEntries(optional.filter(([, value]) => value !== undefined)),
  };
}

/** Reads `issuers.json`: `{"issuers": [...]}`; none without the file. @throws Error when it is not complete. */
export async function readIssuers(file: string): Promise<readonly ExternalIssuerConfiguration[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{"issuers":[]}';
    throw error;
  });
  const parsed: unknown = JSON.parse(text);
  if (!isObject(parsed) || !Array.isArray(parsed.issuers)) throw new Error(`${file}: issuers is not a list`);
  return parsed.issuers.map((entry, place) => readIssuer(entry, `${file}: issuer ${place}`));
}
