import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../caller.ts';
import { ExchangeError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { answerMatchRequest, answerRevocation, consentIn, releaseSearch } from './exchange-routes.ts';

const SEARCH = /^\/fhir\/R4\/([A-Z][A-Za-z]{1,63})\/_search$/;
const CONSENT = /^\/fhir\/R4\/Consent\/([A-Za-z0-9\-.]{1,64})$/;
const FHIR = 'application/fhir+json; charset=utf-8';

interface Intercepted {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly caller: Caller;
}

async function grant(exchange: Exchange, { request, reply, caller }: Intercepted): Promise<void> {
  const consent = consentIn(request.body);
  const { id } = await exchange.consents.grant(consent, caller.patientId ?? '');
  const stored = await exchange.context.records.read('Consent', id);
  await reply.code(201).header('location', `/fhir/R4/Consent/${id}`).type(FHIR).send(exchange.textOf(stored));
}

async function change(exchange: Exchange, intercepted: Intercepted, id: string): Promise<void> {
  const consent = consentIn(intercepted.request.body);
  if (consent.status !== 'inactive') {
    throw new ExchangeError(
      'exchange/consent-invalid',
      'A consent is not changed: revoke it and grant a new one.',
    );
  }
  const { caller, reply } = intercepted;
  await answerRevocation(exchange, { caller, id, reply });
}

async function answerPatient(exchange: Exchange, intercepted: Intercepted, path: string): Promise<boolean> {
  const { method } = intercepted.request;
  if (method === 'POST' && path === '/fhir/R4/Consent') {
    await grant(exchange, intercepted);
    return true;
  }
  const id = method === 'PUT' ? CONSENT.exec(path)?.[1] : undefined;
  if (id === undefined) return false;
  await change(exchange, intercepted, id);
  return true;
}

async function answerMember(exchange: Exchange, intercepted: Intercepted, path: string): Promise<boolean> {
  if (intercepted.request.method !== 'POST') return false;
  if (path === '/fhir/R4/Patient/$match') {
    await answerMatchRequest(exchange, intercepted);
    return true;
  }
  const type = SEARCH.exec(path)?.[1];
  if (type === undefined) return false;
  await releaseSearch(exchange, intercepted, type);
  return true;
}

/**
 * Answers what shares its URL with the FHIR API: a patient's Consent, another member's search and `$match`. Everything
 * else is left to the FHIR API, which tells other members nothing.
 *
 * @returns Whether it was answered.
 */
export async function interceptExchange(
  exchange: Exchange,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: Caller,
): Promise<boolean> {
  const path = request.url.split('?', 1)[0] ?? '';
  if (caller.kind === 'patient' && !caller.isOnBehalf)
    return answerPatient(exchange, { request, reply, caller }, path);
  if (caller.kind === 'organization') return answerMember(exchange, { request, reply, caller }, path);
  return false;
}
