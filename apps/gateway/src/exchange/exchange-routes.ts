import { CHUNK_TYPES_MAX, REQUEST_ID_BYTES } from '@careledger/custody';
import { isResource, type LosslessResource } from '@careledger/fhir';
import { fromBase64Url, type OrganizationId, organizationId } from '@careledger/primitives';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { requireAllowed } from '../authorization/index.ts';
import type { Caller } from '../caller.ts';
import { callerOf } from '../server/index.ts';
import { isR4ResourceType } from '../validation/index.ts';
import { purposeOf } from './custodian/consent-facts.ts';
import { ExchangeError, nothingToShow } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { notAllowed, requireMember, requireStaff } from './exchange-callers.ts';
import type { RecordQuery } from './exchange-records.ts';
import { moveRoutes } from './move/move-routes.ts';
import { OperationParameters } from './parameters.ts';
import type { FetchOutcome } from './recipient/fetch-records.ts';
import { reportRoutes } from './reports/report-routes.ts';
import { socketSender } from './send-body.ts';
import { parseObject } from './vault-records.ts';

const FHIR = 'application/fhir+json; charset=utf-8';
const BASE = '/fhir/R4';
const HANDLE_TEXT_MAX = 64;

interface ById {
  readonly Params: { readonly id: string };
}

function memberNamed(name: string): OrganizationId {
  try {
    return organizationId(name);
  } catch {
    throw new ExchangeError('exchange/invalid', 'The parameter custodian is not an organization id.');
  }
}

function handleIn(parameters: OperationParameters): Uint8Array {
  const text = parameters.required('handle');
  const handle = text.length <= HANDLE_TEXT_MAX ? fromBase64Url(text) : undefined;
  // A handle of another form stands for nobody, like every other unknown one.
  return handle ?? new Uint8Array(0);
}

async function release(
  exchange: Exchange,
  context: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly caller: Caller },
  search?: RecordQuery['search'],
): Promise<void> {
  const member = requireMember(context.caller);
  const parameters = search ? undefined : OperationParameters.read(context.request.body);
  const form = search && new URLSearchParams(String(context.request.body ?? ''));
  const read = parameters ?? formParameters(form);
  const types = read.texts('type');
  if (types.length > CHUNK_TYPES_MAX) {
    throw new ExchangeError('exchange/invalid', `At most ${CHUNK_TYPES_MAX} types can be asked for.`);
  }
  for (const type of search ? [search.type] : types.length > 0 ? types : ['*']) {
    requireAllowed(context.caller, isR4ResourceType(type) ? type : '*', search ? 'search-type' : 'read');
  }
  const after = read.text('after');
  await exchange.releases.release(
    {
      ...member,
      act: 'fetch',
      handle: handleIn(read),
      requestId: read.hex('requestId', REQUEST_ID_BYTES),
      query: {
        ...(types.length > 0 && !search ? { types } : {}),
        ...(search ? { search } : {}),
        ...(after === undefined ? {} : { after }),
      },
    },
    socketSender(context.reply, exchange.context.now),
  );
}

/** What a `_search` form says about the exchange, beside its search terms. */
const EXCHANGE_TERMS = ['handle', 'requestId', 'after'];

function formParameters(form: URLSearchParams | undefined): OperationParameters {
  const parameter = [...(form ?? [])].map(([name, valueString]) => ({ name, valueString }));
  return OperationParameters.read(JSON.stringify({ resourceType: 'Parameters', parameter }));
}

/** `POST {Type}/_search` by another member: handle and terms in the body, nothing in the URL. */
export function releaseSearch(
  exchange: Exchange,
  context: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly caller: Caller },
  type: string,
): Promise<void> {
  const form = new URLSearchParams(String(context.request.body ?? ''));
  const terms = [...form].filter(([name]) => !EXCHANGE_TERMS.includes(name));
  return release(exchange, context, { type, terms });
}

/** `$match` by another member. */
export async function answerMatchRequest(
  exchange: Exchange,
  context: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly caller: Caller },
): Promise<void> {
  const member = requireMember(context.caller);
  const description = OperationParameters.read(context.request.body).resource('resource');
  const handle = await exchange.match({ ...member, description });
  const extension = handle && [
    { url: 'https://careledger.example/fhir/handle', valueString: Buffer.from(handle).toString('base64url') },
  ];
  const bundle = { resourceType: 'Bundle', type: 'searchset', ...(extension ? { meta: { extension } } : {}) };
  await context.reply.type(FHIR).send(JSON.stringify(bundle));
}

/** The patient's Consent out of a body. @throws {@link ExchangeError} when it is none. */
export function consentIn(body: unknown): LosslessResource {
  const resource = parseObject(body);
  if (isResource(resource) && resource.resourceType === 'Consent') return resource;
  throw new ExchangeError('exchange/invalid', 'The body is not a Consent.');
}

function custodianRoutes(app: FastifyInstance, exchange: Exchange): void {
  app.post(`${BASE}/$records`, async (request, reply) => {
    await release(exchange, { request, reply, caller: callerOf(request) });
    return reply;
  });
  app.post(`${BASE}/$acknowledge`, async (request, reply) => {
    const { recipient, purpose } = requireMember(callerOf(request));
    const signed = OperationParameters.read(request.body).binary('acknowledgement');
    await exchange.acknowledge(signed, { organization: recipient, purpose });
    return reply.code(204).send();
  });
  app.post<ById>(`${BASE}/Consent/:id/$revoke`, async (request, reply) => {
    await answerRevocation(exchange, { caller: callerOf(request), id: request.params.id, reply });
    return reply;
  });
}

/** Revokes, and says whether the revocation is acknowledged or still pending. */
export async function answerRevocation(
  exchange: Exchange,
  options: { readonly caller: Caller; readonly id: string; readonly reply: FastifyReply },
): Promise<void> {
  const { caller, id, reply } = options;
  if (caller.kind !== 'patient' || caller.isOnBehalf || caller.patientId === undefined)
    throw notAllowed('A patient revokes a consent.');
  const outcome = await exchange.consents.revoke(id, caller.patientId);
  if (!outcome) throw nothingToShow();
  const isPending = outcome === 'pending';
  const body = {
    resourceType: 'OperationOutcome',
    issue: [
      {
        severity: 'information',
        code: 'informational',
        details: { coding: [{ code: isPending ? 'revocation/pending' : 'revocation/acknowledged' }] },
        diagnostics: isPending
          ? 'Nothing is released here any more. The ledger has not confirmed it yet; ask again.'
          : 'Nothing is released under this consent any more.',
      },
    ],
  };
  await reply
    .code(isPending ? 202 : 200)
    .type(FHIR)
    .send(JSON.stringify(body));
}

function outcomeParameter(outcome: FetchOutcome): object {
  const { custodian, received, verified, filed, failures, refusal } = outcome;
  const failed = [...failures].map(([name, times]) => ({
    name: 'failedVerdict',
    part: [
      { name: 'verdict', valueCode: name },
      { name: 'count', valueUnsignedInt: times },
    ],
  }));
  const references = [...filed.created, ...filed.updated].map((reference) => ({
    name: 'filed',
    valueReference: { reference },
  }));
  return {
    name: 'custodian',
    part: [
      { name: 'organization', valueString: custodian },
      { name: 'received', valueUnsignedInt: received },
      { name: 'verified', valueUnsignedInt: verified },
      { name: 'created', valueUnsignedInt: filed.created.length },
      { name: 'updated', valueUnsignedInt: filed.updated.length },
      { name: 'unchanged', valueUnsignedInt: filed.unchanged.length },
      { name: 'keptVerbatim', valueUnsignedInt: filed.keptOnly },
      ...(refusal === undefined ? [] : [{ name: 'refusal', valueCode: refusal }]),
      ...failed,
      ...references,
    ],
  };
}

function sendParameters(reply: FastifyReply, parameter: readonly object[]): FastifyReply {
  return reply.type(FHIR).send(JSON.stringify({ resourceType: 'Parameters', parameter }));
}

function recipientRoutes(app: FastifyInstance, exchange: Exchange): void {
  app.post<ById>(`${BASE}/Patient/:id/$introduce`, async (request, reply) => {
    const caller = requireStaff(request, 'Patient');
    await exchange.requirePatient(request.params.id);
    const parameters = OperationParameters.read(request.body);
    const purpose = purposeOf(parameters.required('purpose'));
    if (!purpose)
      throw new ExchangeError('exchange/invalid', 'The parameter purpose is not one that can be decided.');
    const custodian = memberNamed(parameters.required('custodian'));
    const asked = { patientId: request.params.id, custodian, purpose, requestingUser: caller.subject };
    const { sealed, expiresAt } = await exchange.introduce(asked);
    return sendParameters(reply, [
      { name: 'introduction', valueBase64Binary: Buffer.from(sealed).toString('base64') },
      { name: 'expiresAt', valueInstant: new Date(expiresAt).toISOString() },
    ]);
  });
  app.post<ById>(`${BASE}/Patient/:id/$locate`, async (request, reply) => {
    requireStaff(request, 'Patient');
    await exchange.requirePatient(request.params.id);
    const located = await exchange.locate(request.params.id);
    const parameter = located.map(({ custodian, foundAt, purpose }) => ({
      name: 'custodian',
      part: [
        { name: 'organization', valueString: custodian },
        { name: 'purpose', valueCode: purpose },
        { name: 'since', valueInstant: new Date(foundAt).toISOString() },
      ],
    }));
    return sendParameters(reply, parameter);
  });
  app.post<ById>(`${BASE}/Patient/:id/$fetch`, async (request, reply) => {
    const caller = requireStaff(request, 'Patient');
    await exchange.requirePatient(request.params.id);
    const parameters = OperationParameters.read(request.body);
    const custodian = parameters.text('custodian');
    const types = parameters.texts('type');
    // What is fetched is filed and read here: nobody reads by fetching what the token does not let them read.
    for (const type of types.length > 0 ? types : ['*']) {
      requireAllowed(caller, isR4ResourceType(type) ? type : '*', 'read');
    }
    const outcomes = await exchange.fetch({
      patientId: request.params.id,
      purpose: parameters.required('purpose'),
      requestingUser: caller.subject,
      ...(custodian === undefined ? {} : { custodian: memberNamed(custodian) }),
      ...(types.length === 0 ? {} : { types }),
    });
    return sendParameters(reply, outcomes.map(outcomeParameter));
  });
}

/** Adds the exchange's own operations. What shares a URL with the FHIR API is answered by `interceptExchange`. */
export function registerExchangeRoutes(app: FastifyInstance, exchange: Exchange): void {
  custodianRoutes(app, exchange);
  recipientRoutes(app, exchange);
  reportRoutes(app, exchange);
  moveRoutes(app, exchange);
}
