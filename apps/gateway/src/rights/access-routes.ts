import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { OperationParameters } from '../exchange/index.ts';
import { FHIR_BASE_PATH, FhirError, invalidParameter, notFound } from '../fhir/index.ts';
import { callerOf } from '../server/index.ts';
import { type AccessCopyOptions, copyOf } from './access-copy.ts';
import type { AccessDesk } from './access-desk.ts';
import {
  DENIAL_GROUNDS,
  type DenialGround,
  daysOverdue,
  dueOf,
  isDenialGround,
  REASON_CHARACTERS_MAX,
} from './access-rules.ts';
import type { AccessCase, AccessRow, CopyForm } from './access-store.ts';

const FHIR_JSON = 'application/fhir+json; charset=utf-8';
const CASE = /^[0-9a-f]{32}$/;

export interface AccessRoutesOptions extends AccessCopyOptions {
  readonly desk: AccessDesk;
}

interface ById {
  readonly Params: { readonly id: string };
}

interface Part {
  readonly name: string;
  readonly [value: `value${string}`]: string | number | boolean;
}

function dateTime(name: string, time: number): Part {
  return { name, valueDateTime: new Date(time).toISOString() };
}

function partsOf(row: AccessRow): readonly Part[] {
  return [
    { name: 'case', valueId: row.id },
    { name: 'state', valueCode: row.state },
    dateTime('requested', row.requestedAt),
    dateTime('due', dueOf(row)),
    { name: 'extended', valueBoolean: row.isExtended },
  ];
}

/** A case in words. A denial says its basis and what the patient can do about it (45 CFR 164.524(d)(2)). */
function detailedPartsOf(shown: AccessCase, baseUrl: string): readonly Part[] {
  const { form, extensionReason, answeredAt, ground, explanation } = shown.details;
  const copy =
    form === 'export' ? `${baseUrl}/Patient/$export` : `${baseUrl}/$access-requests/${shown.id}/$copy`;
  const basis = ground && DENIAL_GROUNDS[ground];
  return [
    ...partsOf(shown),
    { name: 'form', valueCode: form },
    ...(extensionReason === undefined ? [] : [{ name: 'extensionReason', valueString: extensionReason }]),
    ...(answeredAt === undefined ? [] : [dateTime('answered', answeredAt)]),
    ...(shown.state === 'fulfilled' ? [{ name: 'copy', valueUrl: copy }] : []),
    ...(ground && basis
      ? [
          { name: 'ground', valueCode: ground },
          { name: 'basis', valueString: basis.source },
          { name: 'reviewable', valueBoolean: basis.isReviewable },
        ]
      : []),
    ...(explanation === undefined ? [] : [{ name: 'explanation', valueString: explanation }]),
  ];
}

function answer(reply: FastifyReply, parameter: readonly object[]): FastifyReply {
  return reply.type(FHIR_JSON).send(JSON.stringify({ resourceType: 'Parameters', parameter }));
}

function parametersOf({ body }: FastifyRequest): OperationParameters | undefined {
  return body === undefined || body === null || body === '' ? undefined : OperationParameters.read(body);
}

function formIn(request: FastifyRequest): CopyForm {
  const form = parametersOf(request)?.text('form') ?? 'bundle';
  if (form === 'bundle' || form === 'export') return form;
  throw invalidParameter('form', 'The form of a copy is bundle or export.');
}

function reasonIn(request: FastifyRequest, name: string): string {
  const reason = parametersOf(request)?.text(name)?.trim() ?? '';
  if (reason !== '' && reason.length <= REASON_CHARACTERS_MAX) return reason;
  throw invalidParameter(name, `A text of 1 to ${REASON_CHARACTERS_MAX} characters is asked for.`);
}

function groundIn(request: FastifyRequest): DenialGround {
  const ground = parametersOf(request)?.text('ground') ?? '';
  if (isDenialGround(ground)) return ground;
  throw invalidParameter('ground', `Access is denied on one of: ${Object.keys(DENIAL_GROUNDS).join(', ')}.`);
}

function caseIn({ params }: FastifyRequest<ById>): string {
  if (!CASE.test(params.id)) throw notFound();
  return params.id;
}

async function sendCopy(
  options: AccessRoutesOptions,
  request: FastifyRequest<ById>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request);
  const { patientId, details } = await options.desk.fulfilled(caller, caseIn(request));
  if (details.form !== 'bundle') {
    throw new FhirError({
      status: 409,
      code: 'conflict',
      message: 'This copy was asked for as an export.',
      help: 'Begin Patient/$export with the patient’s token.',
    });
  }
  const texts = copyOf(options, caller, patientId);
  // Asked for before the headers leave: a journal that cannot be written is an error, not half a copy.
  const first = await texts.next();
  async function* whole(): AsyncGenerator<string> {
    if (!first.done) yield first.value;
    yield* texts;
  }
  return reply.type(FHIR_JSON).send(Readable.from(whole()));
}

/** `Patient/[id]/$request-access`, `$access-requests/[case]` with its steps, and `$overdue-access-requests`. */
export function accessRoutes(app: FastifyInstance, options: AccessRoutesOptions): void {
  const { desk, baseUrl } = options;
  const ofPatient = `${FHIR_BASE_PATH}/Patient/:id`;
  const oneCase = `${FHIR_BASE_PATH}/$access-requests/:id`;
  app.post<ById>(`${ofPatient}/$request-access`, async (request, reply) => {
    const opened = await desk.request(callerOf(request), request.params.id, formIn(request));
    reply.code(201).header('location', `${baseUrl}/$access-requests/${opened.id}`);
    return answer(reply, detailedPartsOf(opened, baseUrl));
  });
  app.get<ById>(`${ofPatient}/$access-requests`, async (request, reply) => {
    const cases = await desk.ofPatient(callerOf(request), request.params.id);
    return answer(
      reply,
      cases.map((shown) => ({ name: 'accessRequest', part: detailedPartsOf(shown, baseUrl) })),
    );
  });
  app.get<ById>(oneCase, async (request, reply) => {
    return answer(reply, detailedPartsOf(await desk.look(callerOf(request), caseIn(request)), baseUrl));
  });
  app.post<ById>(`${oneCase}/$extend`, async (request, reply) => {
    const extended = await desk.extend(callerOf(request), caseIn(request), reasonIn(request, 'reason'));
    return answer(reply, detailedPartsOf(extended, baseUrl));
  });
  app.post<ById>(`${oneCase}/$fulfil`, async (request, reply) => {
    return answer(reply, detailedPartsOf(await desk.fulfil(callerOf(request), caseIn(request)), baseUrl));
  });
  app.post<ById>(`${oneCase}/$deny`, async (request, reply) => {
    const [ground, explanation] = [groundIn(request), reasonIn(request, 'explanation')];
    const denied = await desk.deny(callerOf(request), caseIn(request), ground, explanation);
    return answer(reply, detailedPartsOf(denied, baseUrl));
  });
  app.get<ById>(`${oneCase}/$copy`, (request, reply) => sendCopy(options, request, reply));
  app.get(`${FHIR_BASE_PATH}/$overdue-access-requests`, async (request, reply) => {
    const overdue = await desk.overdue(callerOf(request));
    const now = options.gateway.now();
    return answer(
      reply,
      overdue.map((row) => ({
        name: 'overdue',
        part: [
          ...partsOf(row),
          { name: 'patient', valueReference: { reference: `Patient/${row.patientId}` } },
          { name: 'daysOverdue', valueInteger: daysOverdue(row, now) },
        ],
      })),
    );
  });
}
