import type { Commitment } from '@careledger/primitives';
import { fromHex } from '@careledger/primitives';
import type { FastifyInstance } from 'fastify';
import { forbidden, requireScope } from '../../fhir/index.ts';
import { callerOf } from '../../server/index.ts';
import { isR4ResourceType } from '../../validation/index.ts';
import { ExchangeError } from '../errors.ts';
import type { Exchange } from '../exchange.ts';
import { requireMember } from '../exchange-callers.ts';
import { OperationParameters } from '../parameters.ts';
import { REASON_CHARACTERS_MAX, VERSIONS_MAX } from './move-record.ts';
import { takeRetraction } from './take-retraction.ts';

const BASE = '/fhir/R4';
const PATIENT = /^Patient\/([A-Za-z0-9\-.]{1,64})$/;
const COMMITMENT_BYTES = 32;

interface ById {
  readonly Params: { readonly type: string; readonly id: string };
}

function patientIn(parameters: OperationParameters, name: string): string {
  const id = PATIENT.exec(parameters.reference(name) ?? '')?.[1];
  if (id !== undefined) return id;
  throw new ExchangeError('exchange/invalid', `The parameter ${name} is not a reference to a Patient here.`);
}

function reasonIn(parameters: OperationParameters): string {
  const reason = parameters.required('reason').trim();
  if (reason !== '' && reason.length <= REASON_CHARACTERS_MAX) return reason;
  throw new ExchangeError(
    'exchange/invalid',
    `The reason is empty or longer than ${REASON_CHARACTERS_MAX} characters.`,
  );
}

function commitmentsIn(parameters: OperationParameters): readonly Commitment[] {
  const commitments = parameters.texts('commitment').flatMap((text) => {
    const bytes = fromHex(text);
    return bytes?.length === COMMITMENT_BYTES ? [bytes as Commitment] : [];
  });
  const isGood = commitments.length === parameters.texts('commitment').length;
  if (isGood && commitments.length <= VERSIONS_MAX) return commitments;
  throw new ExchangeError('exchange/invalid', 'The parameter commitment is not of the agreed form.');
}

/** `$move` for this organization's staff, `$retract` for other members' gateways. */
export function moveRoutes(app: FastifyInstance, exchange: Exchange): void {
  app.post<ById>(`${BASE}/:type/:id/$move`, async (request, reply) => {
    const caller = callerOf(request);
    const { type, id } = request.params;
    if (caller.kind === 'patient' || !isR4ResourceType(type)) throw forbidden();
    requireScope(caller, type, 'update');
    const parameters = OperationParameters.read(request.body);
    const [from, to] = [patientIn(parameters, 'from'), patientIn(parameters, 'to')];
    const moved = await exchange.retractions.move(caller, {
      type,
      id,
      from,
      to,
      reason: reasonIn(parameters),
    });
    const parameter = [
      { name: 'moved', valueReference: { reference: `${type}/${moved.id}` } },
      ...moved.recipients.map((recipient) => ({ name: 'notified', valueString: recipient })),
    ];
    const body = JSON.stringify({ resourceType: 'Parameters', parameter });
    return reply.type('application/fhir+json; charset=utf-8').send(body);
  });
  app.post(`${BASE}/$retract`, async (request, reply) => {
    const { recipient: organization, purpose } = requireMember(callerOf(request));
    const commitments = commitmentsIn(OperationParameters.read(request.body));
    await takeRetraction(exchange.context, commitments, { organization, purpose });
    return reply.code(204).send();
  });
}
