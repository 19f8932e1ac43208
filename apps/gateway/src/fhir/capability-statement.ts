import { searchParametersOf } from '../index-store/index.ts';
import { FHIR_VERSION, loadDefinitions } from '../validation/index.ts';
import { JSON_PATCH_TYPE } from './interactions/patch.ts';
import { NOT_STORED, ROUTES, type Route } from './route-table.ts';

const COMMON_PARAMETERS = [
  { name: '_id', type: 'token' },
  { name: '_lastUpdated', type: 'date' },
  { name: '_has', type: 'special' },
];
/** Targets beyond which a reference is to anything: no `_revinclude` is listed for it, though each is answered. */
const TARGETS_MAX = 12;

/** An operation that another part of the gateway answers under the FHIR base. */
export interface ServedOperation {
  /** `export`. */
  readonly name: string;
  /** Canonical URL of its OperationDefinition. */
  readonly definition: string;
  /** Absent: on the system; `*`: on every type. */
  readonly type?: string;
}

export interface CapabilityStatementOptions {
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
  /** Organization id of the member. */
  readonly organization: string;
  /** Start of the process: the statement's date. */
  readonly startedAt: number;
  /** Authorization endpoints for readers of the older SMART extension. */
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly operations?: readonly ServedOperation[];
}

function codesOf(isOne: (route: Route) => boolean): readonly object[] {
  const codes = ROUTES.filter(isOne).map(({ interaction }) => interaction);
  return [...new Set(codes)].filter((code) => code !== 'operation').map((code) => ({ code }));
}

function isOfType({ shape }: Route): boolean {
  return shape.startsWith('Type');
}

function isServed(interaction: Route['interaction'], isConditional: boolean): boolean {
  return ROUTES.some(
    (route) => route.interaction === interaction && (route.isConditional === true) === isConditional,
  );
}

/** `Type/id/$meta-add` and `Patient/$match` as the operations of a type. */
function operationsOf(type: string, others: readonly ServedOperation[]): readonly object[] {
  const names = new Map<string, string>();
  for (const { shape, interaction } of ROUTES) {
    const [of = ''] = shape.split('/');
    const name = shape.slice(shape.lastIndexOf('$') + 1);
    if (interaction !== 'operation' || (of !== 'Type' && of !== type)) continue;
    const defined = of === 'Type' ? 'Resource' : type;
    names.set(name, `http://hl7.org/fhir/OperationDefinition/${defined}-${name}`);
  }
  for (const other of others) {
    if (other.type === type || other.type === '*') names.set(other.name, other.definition);
  }
  return [...names].map(([name, definition]) => ({ name, definition }));
}

/** `Observation:subject` by the types that it points to. */
function revIncludes(types: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const sources = new Map<string, string[]>();
  for (const type of types) {
    for (const parameter of searchParametersOf(type).values()) {
      if (parameter.type !== 'reference' || parameter.targets.length > TARGETS_MAX) continue;
      for (const target of parameter.targets) {
        sources.set(target, [...(sources.get(target) ?? []), `${type}:${parameter.code}`]);
      }
    }
  }
  return sources;
}

function resourceOf(
  type: string,
  revInclude: readonly string[],
  { operations = [] }: CapabilityStatementOptions,
): object {
  const known = [...searchParametersOf(type).values()].filter((parameter) => parameter.type !== 'special');
  const parameters = known.map(({ code, type: kind, definition }) => ({
    name: code,
    type: kind,
    ...(definition.url ? { definition: definition.url } : {}),
  }));
  const references = known.filter(({ type: kind }) => kind === 'reference');
  return {
    type,
    interaction: codesOf(isOfType),
    versioning: 'versioned-update',
    readHistory: true,
    updateCreate: true,
    conditionalCreate: true,
    conditionalRead: 'full-support',
    conditionalUpdate: isServed('update', true),
    conditionalDelete: isServed('delete', true) ? 'single' : 'not-supported',
    referencePolicy: ['literal', 'local'],
    searchInclude: references.length > 0 ? ['*', ...references.map(({ code }) => `${type}:${code}`)] : [],
    searchRevInclude: revInclude,
    searchParam: [...COMMON_PARAMETERS, ...parameters],
    operation: operationsOf(type, operations),
  };
}

/** Empty lists are no FHIR. */
function withoutEmpty(value: object): object {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => !Array.isArray(member) || member.length > 0),
  );
}

function securityOf({ authorizationEndpoint, tokenEndpoint }: CapabilityStatementOptions): object {
  const system = 'http://terminology.hl7.org/CodeSystem/restful-security-service';
  return {
    service: [{ coding: [{ system, code: 'SMART-on-FHIR' }] }],
    extension: [
      {
        url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
        extension: [
          { url: 'authorize', valueUri: authorizationEndpoint },
          { url: 'token', valueUri: tokenEndpoint },
        ],
      },
    ],
  };
}

/** `/metadata`: generated from the routes and search parameters that are served, so that it cannot promise more. */
export function capabilityStatement(options: CapabilityStatementOptions): object {
  const { baseUrl, organization, startedAt, operations = [] } = options;
  const types = [...loadDefinitions().resourceTypes].filter((type) => !NOT_STORED.has(type)).sort();
  const sources = revIncludes(types);
  const ofSystem = operations.filter(({ type }) => type === undefined);
  const system = codesOf((route) => !isOfType(route) && route.interaction.endsWith('-system'));
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: new Date(startedAt).toISOString(),
    publisher: organization,
    kind: 'instance',
    software: { name: 'Careledger gateway' },
    implementation: { description: `Gateway of ${organization}`, url: baseUrl },
    fhirVersion: FHIR_VERSION,
    format: ['application/fhir+json', 'json'],
    patchFormat: [JSON_PATCH_TYPE, 'application/fhir+json'],
    rest: [
      withoutEmpty({
        mode: 'server',
        security: securityOf(options),
        resource: types.map((type) => withoutEmpty(resourceOf(type, sources.get(type) ?? [], options))),
        interaction: [{ code: 'batch' }, { code: 'transaction' }, ...system],
        operation: ofSystem.map(({ name, definition }) => ({ name, definition })),
      }),
    ],
  };
}
