import type { FhirRouter, RestInteraction } from '@medplum/fhir-router';
import { searchParametersOf } from '../index-store/index.ts';
import { FHIR_VERSION, loadDefinitions } from '../validation/index.ts';

const COMMON_PARAMETERS = [
  { name: '_id', type: 'token' },
  { name: '_lastUpdated', type: 'date' },
];
/** Types that are answers and questions of the API itself: nothing to store. */
export const NOT_STORED: ReadonlySet<string> = new Set(['OperationOutcome', 'Parameters']);

export interface CapabilityStatementOptions {
  readonly router: FhirRouter;
  /** FHIR base URL, without a last slash. */
  readonly baseUrl: string;
  /** Organization id of the member. */
  readonly organization: string;
  /** Start of the process: the statement's date. */
  readonly startedAt: number;
  /** Authorization endpoints for readers of the older SMART extension. */
  readonly tokenEndpoint: string;
}

const SYSTEM_INTERACTIONS: ReadonlySet<RestInteraction> = new Set(['batch', 'transaction']);

function interactionsOf(router: FhirRouter): readonly RestInteraction[] {
  const interactions = router.router.routes
    .filter((route) => route.path[0]?.param === true)
    .flatMap((route) => (route.data ? [route.data.interaction] : []));
  return [...new Set(interactions)].filter((interaction) => interaction !== 'operation');
}

function operationsOf(router: FhirRouter, type: string): readonly object[] {
  return router.router.routes.flatMap(({ path }) => {
    const name = path.at(-1)?.value;
    if (path.length !== 2 || path[0]?.value !== type || name === undefined || !name.startsWith('$'))
      return [];
    const definition = `http://hl7.org/fhir/OperationDefinition/${type}-${name.slice(1)}`;
    return [{ name: name.slice(1), definition }];
  });
}

function resourceOf(router: FhirRouter, type: string, interactions: readonly RestInteraction[]): object {
  const parameters = [...searchParametersOf(type).values()].map(({ code, type: kind, definition }) => ({
    name: code,
    type: kind,
    ...(definition.url ? { definition: definition.url } : {}),
  }));
  const operation = operationsOf(router, type);
  return {
    type,
    interaction: interactions.map((code) => ({ code })),
    versioning: 'versioned-update',
    readHistory: true,
    updateCreate: true,
    conditionalCreate: true,
    searchParam: [...COMMON_PARAMETERS, ...parameters],
    ...(operation.length === 0 ? {} : { operation }),
  };
}

/** `/metadata`: generated from the routes and search parameters that are registered, so that it cannot promise more. */
export function capabilityStatement(options: CapabilityStatementOptions): object {
  const { router, baseUrl, organization, startedAt } = options;
  const interactions = interactionsOf(router);
  const system = [...SYSTEM_INTERACTIONS].filter(() => router.find('POST', '') !== undefined);
  const types = [...loadDefinitions().resourceTypes].filter((type) => !NOT_STORED.has(type)).sort();
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
    rest: [
      {
        mode: 'server',
        security: {
          service: [
            {
              coding: [
                {
                  system: 'http://terminology.hl7.org/CodeSystem/restful-security-service',
                  code: 'SMART-on-FHIR',
                },
              ],
            },
          ],
          extension: [
            {
              url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
              extension: [{ url: 'token', valueUri: options.tokenEndpoint }],
            },
          ],
        },
        resource: types.map((type) => resourceOf(router, type, interactions)),
        interaction: system.map((code) => ({ code })),
      },
    ],
  };
}
