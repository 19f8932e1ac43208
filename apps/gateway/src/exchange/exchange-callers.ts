import type { FastifyRequest } from 'fastify';
import { requireAllowed } from '../authorization/index.ts';
import type { Caller } from '../caller.ts';
import { callerOf } from '../server/index.ts';
import { purposeOf } from './custodian/consent-facts.ts';
import { ExchangeError } from './errors.ts';

export function notAllowed(message: string): ExchangeError {
  return new ExchangeError('exchange/not-allowed', message);
}

/** Staff of this organization, with a scope that reads this type. */
export function requireStaff(request: FastifyRequest, type: string): Caller {
  const caller = callerOf(request);
  if (caller.kind !== 'user' && caller.kind !== 'system')
    throw notAllowed('This is for this organization’s staff.');
  requireAllowed(caller, type, 'read');
  return caller;
}

/** Another member's gateway, with the purpose that its token names. */
export function requireMember(caller: Caller) {
  const purpose = purposeOf(caller.purpose);
  if (caller.kind !== 'organization' || !purpose) throw notAllowed('This is for other members’ gateways.');
  requireAllowed(caller, 'Patient', 'search-type');
  const { organization, requestingUser } = caller;
  return { recipient: organization, purpose, ...(requestingUser === undefined ? {} : { requestingUser }) };
}
