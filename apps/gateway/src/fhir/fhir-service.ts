import { type LosslessObject, toPlain } from '@careledger/fhir';
import { getStatus } from '@medplum/core';
import { type FhirRequest, type FhirResponse, FhirRouter } from '@medplum/fhir-router';
import type { Parameters, Patient, Resource } from '@medplum/fhirtypes';
import type { Caller } from '../caller.ts';
import type { Keystore } from '../keystore/index.ts';
import { isR4ResourceType } from '../validation/index.ts';
import { requireScope } from './access.ts';
import { entryAnswer, knownRefusal, routerRefusal } from './answers.ts';
import { type BundleRequest, parseBundle } from './bundle.ts';
import { NOT_STORED } from './capability-statement.ts';
import { FhirError, forbidden, outcomeOf } from './fhir-error.ts';
import { matchPatients, matchSearch } from './match.ts';
import type { RecordStore } from './record-store.ts';
import { notSupported, parametersOf, parseBody, requireEtagForm } from './request-parts.ts';
import { type SearchParameters, SearchRoute } from './search-route.ts';
import { fhirText, StoredResource } from './stored-resource.ts';
import { VaultRepository } from './vault-repository.ts';

export type FhirMethod = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';

/** A request of the FHIR API, below its base URL. */
export interface FhirInput {
  readonly method: FhirMethod;
  /** `Patient/1/_history`, without a first slash; empty for the base itself. */
  readonly path: string;
  /** The query string, without its question mark. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Body as text, or undefined. */
  readonly body: string | undefined;
  readonly caller: Caller;
}

export interface FhirOutput {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface FhirServiceOptions {
  readonly store: RecordStore;
  readonly keystore: Keystore;
  /** Hears of faults that a caller only sees as 500. Ids and error names, never contents. */
  readonly onFault: (error: unknown) => void;
}

const FHIR_JSON = 'application/fhir+json; charset=utf-8';
const FORM = 'application/x-www-form-urlencoded';
/** The router's routes that this server answers; search and batch are our own. */
const OFFERED = new Set(['create', 'read', 'vread', 'history-instance', 'update', 'delete']);

interface RequestContext {
  readonly caller: Caller;
  readonly isStrict: boolean;
  readonly wantsMinimal: boolean;
}

/** The FHIR R4 API of one organization, without its transport. */
export class FhirService {
  readonly router: FhirRouter;
  readonly #options: FhirServiceOptions;
  readonly #search: SearchRoute;

  constructor(options: FhirServiceOptions) {
    this.#options = options;
    this.#search = new SearchRoute(options);
    this.router = new FhirRouter();
    const { routes } = this.router.router;
    const kept = routes.filter(
      ({ data, path }) =>
        data && OFFERED.has(data.interaction) && !(data.interaction !== 'create' && path.length === 1),
    );
    routes.splice(0, routes.length, ...kept);
    // Search and bundles are routed like the rest; their answers are made by `handle`, which knows the caller.
    this.router.add('POST', '', unrouted, 'batch');
    this.router.add('GET', ':resourceType', unrouted, 'search-type');
    this.router.add('POST', ':resourceType/_search', unrouted, 'search-type');
    this.router.add('POST', 'Patient/$match', unrouted, 'operation');
  }

  /** Answers one request. Never throws: what goes wrong is an OperationOutcome. */
  async handle(input: FhirInput): Promise<FhirOutput> {
    const prefer = input.headers.prefer ?? '';
    const context: RequestContext = {
      caller: input.caller,
      isStrict: /handling=strict/.test(prefer),
      wantsMinimal: /return=minimal/.test(prefer),
    };
    try {
      return await this.#answer(input, context);
    } catch (error) {
      return this.#refusal(error);
    }
  }

  async #answer(input: FhirInput, context: RequestContext): Promise<FhirOutput> {
    const { method, path, query, headers, body } = input;
    const segments = path.split('/').filter(Boolean);
    const [type = '', second] = segments;
    if (method === 'POST' && type === '') return this.#bundle(parseBody(body), context);
    if (!isR4ResourceType(type) || NOT_STORED.has(type)) throw notSupported();
    if (method === 'GET' && segments.length === 1)
      return this.#searchAnswer(type, parametersOf(query), context);
    if (method === 'POST' && second === '_search' && segments.length === 2) {
      const isForm = (headers['content-type'] ?? FORM).startsWith(FORM);
      const form = isForm ? parametersOf(body ?? '') : [];
      return this.#searchAnswer(type, [...parametersOf(query), ...form], context);
    }
    if (method === 'POST' && path === 'Patient/$match') return this.#match(parseBody(body), context);
    requireEtagForm(headers['if-match']);
    const hasBody = method === 'POST' || method === 'PUT';
    const repository = new VaultRepository(this.#options.store, context.caller);
    const [status, resource] = await this.#route(
      {
        method,
        url: query === '' ? path : `${path}?${query}`,
        body: hasBody ? parseBody(body) : undefined,
        ifMatch: headers['if-match'],
        ifNoneExist: headers['if-none-exist'],
        isAssigned: false,
      },
      repository,
    );
    return this.#output(status, resource, context, method);
  }

  /** Puts one request through the router. */
  async #route(
    request: {
      readonly method: FhirMethod;
      readonly url: string;
      readonly body: LosslessObject | undefined;
      readonly ifMatch: string | undefined;
      readonly ifNoneExist: string | undefined;
      readonly isAssigned: boolean;
    },
    repository: VaultRepository,
  ): Promise<readonly [status: number, resource: Resource | undefined]> {
    const found = this.router.find(request.method, request.url);
    if (!found || found.handler === unrouted) throw notSupported();
    const routed: FhirRequest = {
      method: request.method,
      url: request.url,
      pathname: found.path,
      params: found.params,
      query: found.query ?? {},
      body: request.body,
      headers: conditionsOf(request),
    };
    const [outcome, resource]: FhirResponse = await found.handler(routed, repository, this.router, {
      assignedId: request.isAssigned,
    });
    const status = getStatus(outcome);
    if (status >= 400) throw routerRefusal(outcome.issue[0]?.details?.text ?? '', status);
    return [statusOf(request.method, status, resource), resource];
  }

  async #searchAnswer(
    type: string,
    parameters: SearchParameters,
    { caller, isStrict }: RequestContext,
  ): Promise<FhirOutput> {
    const bundle = await this.#search.search({ type, parameters, caller, isStrict });
    return { status: 200, headers: { 'content-type': FHIR_JSON }, body: fhirText(bundle) };
  }

  async #match(body: LosslessObject, { caller }: RequestContext): Promise<FhirOutput> {
    requireScope(caller, 'Patient', 'search-type');
    if (caller.kind === 'patient') throw forbidden();
    const parameters = (toPlain(body) as unknown as Parameters).parameter ?? [];
    const asked = parameters.find(({ name }) => name === 'resource')?.resource as Patient | undefined;
    const countMax = parameters.find(({ name }) => name === 'count')?.valueInteger;
    const onlyCertain = parameters.find(({ name }) => name === 'onlyCertainMatches')?.valueBoolean;
    const matched = await matchPatients(this.#options.store, asked ?? { resourceType: 'Patient' }, {
      ...(countMax === undefined ? {} : { countMax: Math.max(countMax, 0) }),
      ...(onlyCertain === undefined ? {} : { onlyCertain }),
    });
    const { baseUrl } = this.#options.store.options;
    const entry = matched.map((match) => ({
      fullUrl: `${baseUrl}/Patient/${match.patient.id}`,
      resource: new StoredResource(match.patient),
      search: matchSearch(match),
    }));
    const bundle = { resourceType: 'Bundle', type: 'searchset', total: entry.length, entry };
    return { status: 200, headers: { 'content-type': FHIR_JSON }, body: fhirText(bundle) };
  }

  async #bundle(body: LosslessObject, context: RequestContext): Promise<FhirOutput> {
    if (body.resourceType !== 'Bundle') {
      const help = 'Post other resources to /<type>.';
      throw new FhirError({ status: 400, code: 'structure', message: 'The body is not a Bundle.', help });
    }
    const { type, requests } = parseBundle(body);
    const answers = new Map<number, object>();
    const repository = new VaultRepository(this.#options.store, context.caller);
    if (type === 'transaction') {
      await repository.withTransaction(async (transaction) => {
        for (const request of requests)
          answers.set(request.index, await this.#entry(request, transaction, context));
      });
    } else {
      for (const request of requests) {
        const answer = await this.#entry(request, repository, context).catch((error: unknown) => {
          const { status, body: outcome } = this.#refusal(error);
          return { response: { status: String(status), outcome: JSON.parse(outcome) as object } };
        });
        answers.set(request.index, answer);
      }
    }
    const entry = [...answers].sort(([left], [right]) => left - right).map(([, answer]) => answer);
    const bundle = { resourceType: 'Bundle', type: `${type}-response`, entry };
    return { status: 200, headers: { 'content-type': FHIR_JSON }, body: fhirText(bundle) };
  }

  async #entry(
    request: BundleRequest,
    repository: VaultRepository,
    context: RequestContext,
  ): Promise<object> {
    const { method, url, resource: body, ifMatch, ifNoneExist, assignedId, index } = request;
    const [path = '', query = ''] = url.split('?', 2);
    const isSearch = method === 'GET' && !path.includes('/');
    const place = `Bundle.entry[${index}]`;
    repository.entry = place;
    try {
      requireEtagForm(ifMatch);
      if (isSearch) {
        if (!isR4ResourceType(path)) throw notSupported();
        const { caller, isStrict } = context;
        const found = await this.#search.search({
          type: path,
          parameters: parametersOf(query),
          caller,
          isStrict,
        });
        return { resource: found, response: { status: '200' } };
      }
      const routed = { method, url, body, ifMatch, ifNoneExist, isAssigned: assignedId !== undefined };
      const [status, resource] = await this.#route(routed, repository);
      return entryAnswer(status, resource, method === 'GET' || !context.wantsMinimal);
    } catch (error) {
      throw error instanceof FhirError && !error.issues[0]?.expression?.[0]?.startsWith('Bundle.')
        ? error.inEntry(place)
        : error;
    } finally {
      repository.entry = undefined;
    }
  }

  #output(
    status: number,
    resource: Resource | undefined,
    { wantsMinimal }: RequestContext,
    method: FhirMethod,
  ): FhirOutput {
    if (!resource) return { status, headers: {}, body: '' };
    const headers: Record<string, string> = { 'content-type': FHIR_JSON };
    if (resource instanceof StoredResource) {
      const { type, id, version, time } = resource.stored;
      headers.etag = `W/"${version}"`;
      headers['last-modified'] = new Date(time).toUTCString();
      if (method === 'POST' || status === 201) {
        headers.location = `${this.#options.store.options.baseUrl}/${type}/${id}/_history/${version}`;
      }
    }
    const isWrite = method !== 'GET';
    return { status, headers, body: isWrite && wantsMinimal ? '' : fhirText(resource) };
  }

  #refusal(error: unknown): FhirOutput {
    const known = knownRefusal(error);
    if (!known) this.#options.onFault(error);
    const refusal =
      known ??
      new FhirError({
        status: 500,
        code: 'exception',
        message: 'The server could not answer. The fault is in its log.',
        help: 'Tell the operator the time of the request.',
      });
    const body = JSON.stringify(outcomeOf(refusal.issues));
    return { status: refusal.status, headers: { 'content-type': FHIR_JSON }, body };
  }
}

/** Stands in the router for what `handle` answers itself. */
async function unrouted(): Promise<FhirResponse> {
  throw notSupported();
}

/** FHIR's status where the router's is another: 201 for an update that created, 204 for a deletion. */
function statusOf(method: FhirMethod, status: number, resource: Resource | undefined): number {
  if (method === 'DELETE') return 204;
  const isNew = resource instanceof StoredResource && resource.stored.version === 1;
  return method === 'PUT' && isNew ? 201 : status;
}

/** Conditions as the router reads them from headers. */
function conditionsOf(request: {
  readonly ifMatch: string | undefined;
  readonly ifNoneExist: string | undefined;
}): Record<string, string> {
  const { ifMatch, ifNoneExist } = request;
  return {
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    ...(ifNoneExist === undefined ? {} : { 'if-none-exist': ifNoneExist }),
  };
}
