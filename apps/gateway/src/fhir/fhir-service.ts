import { shapeOf } from './answer-shape.ts';
import { dispatch } from './dispatch.ts';
import { faultRefusal, knownRefusal, outputOf, refusalOutput, returnPreference } from './fhir-answer.ts';
import { FhirError } from './fhir-error.ts';
import {
  type FhirAnswer,
  type FhirInput,
  type FhirOutput,
  type FhirRequest,
  type FhirServices,
  objectBody,
  parametersOf,
  type RequestBody,
} from './fhir-request.ts';
import { type BundleOptions, batch } from './interactions/batch.ts';
import { bundleEntries } from './interactions/bundle-entry.ts';
import { parseProvenance } from './interactions/provenance.ts';
import { transaction } from './interactions/transaction.ts';
import { conditionsOf } from './preconditions.ts';
import { type MatchedRoute, matchRoute } from './route-table.ts';
import { SearchRoute, type SearchRouteOptions } from './search-route.ts';

export interface FhirServiceOptions extends SearchRouteOptions {
  /** Hears of faults that a caller only sees as 500. Ids and error names, never contents. */
  readonly onFault: (error: unknown) => void;
}

/** What a body is when nobody says. */
const FHIR_JSON = 'application/fhir+json';

function bodyOf({ body, headers }: FhirInput): RequestBody {
  if (body === undefined || body === '') return { kind: 'none' };
  return { kind: 'text', contentType: headers['content-type'] ?? FHIR_JSON, text: body };
}

/** The FHIR R4 API of one organization, without its transport. */
export class FhirService {
  readonly #options: FhirServiceOptions;
  readonly #services: FhirServices;

  constructor(options: FhirServiceOptions) {
    this.#options = options;
    const { store, keystore } = options;
    this.#services = { store, keystore, search: new SearchRoute(options) };
  }

  /** Answers one request. Never throws: what goes wrong is an OperationOutcome. */
  async handle(input: FhirInput): Promise<FhirOutput> {
    try {
      return await this.#answer(input);
    } catch (error) {
      const known = knownRefusal(error);
      if (!known) this.#options.onFault(error);
      return refusalOutput(known ?? faultRefusal());
    }
  }

  async #answer(input: FhirInput): Promise<FhirOutput> {
    const { method, path, query, headers } = input;
    const prefer = headers.prefer ?? '';
    const parameters = parametersOf(query);
    // Refused before anything is written.
    shapeOf(parameters);
    const isBundle = path === '' && method === 'POST';
    const matched = isBundle ? undefined : matchRoute(method, path);
    const request: FhirRequest = {
      services: this.#services,
      scope: { store: this.#options.store, caller: input.caller },
      method,
      ...{ type: matched?.type ?? '', id: matched?.id ?? '', version: matched?.version ?? '' },
      parameters,
      conditions: conditionsOf(headers),
      body: bodyOf(input),
      provenance: parseProvenance(headers['x-provenance']),
      isStrict: /\bhandling=strict\b/.test(prefer),
    };
    const answer = matched
      ? await this.#single(matched, request)
      : await this.#bundle(request, { prefer: returnPreference(prefer), onFault: this.#options.onFault });
    const { baseUrl } = this.#options.store.options;
    return outputOf(answer, { method, parameters, prefer: returnPreference(prefer), baseUrl });
  }

  #single({ route }: MatchedRoute, request: FhirRequest): Promise<FhirAnswer> {
    if (request.provenance && route.isWrite !== true) {
      throw new FhirError({
        status: 400,
        code: 'not-supported',
        message: 'X-Provenance is about a change, and this request makes none.',
        help: 'Leave the header out.',
        expression: ['X-Provenance'],
      });
    }
    return dispatch(route, request);
  }

  #bundle(request: FhirRequest, options: BundleOptions): Promise<FhirAnswer> {
    const { type, entries } = bundleEntries(objectBody(request.body));
    return type === 'batch' ? batch(request, entries, options) : transaction(request, entries, options);
  }
}
