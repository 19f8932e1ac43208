import { randomUUID } from 'node:crypto';
import { idOf, type LosslessResource, parseReference, rewriteReferences, withField } from '@careledger/fhir';
import type { RecordKey } from '../../vault/index.ts';
import { FhirError, notFound } from '../fhir-error.ts';
import { type FhirAnswer, type FhirRequest, parametersOf, type WriteScope } from '../fhir-request.ts';
import { requireVersion } from '../preconditions.ts';
import { type MatchedRoute, matchRoute } from '../route-table.ts';
import { entryRequest } from './batch.ts';
import { type BundleEntry, malformedBundle } from './bundle-entry.ts';
import { type MatchCondition, matchOne } from './conditional-match.ts';
import { visibleVersion } from './versions.ts';

/** A write of a transaction whose resource is known: its condition is judged, its id given. */
export interface PlannedWrite {
  readonly entry: BundleEntry;
  readonly matched: MatchedRoute;
  readonly request: FhirRequest;
  /** What the entry changes, or found instead of creating. */
  readonly target: RecordKey | undefined;
  /** Set where nothing is left to do: a conditional create that found one, a conditional delete that found none. */
  readonly answer?: FhirAnswer;
}

/** A condition that was asked of what was committed, to be asked again of what the transaction wrote. */
export interface JudgedCondition extends MatchCondition {
  readonly place: string;
  readonly target: RecordKey | undefined;
}

/** Chains lead from what the transaction writes to what is committed, and back: neither index knows both. */
function refuseChains(condition: MatchCondition, place: string): void {
  const isChained = condition.parameters.some(([name]) => name.includes('.') || name.startsWith('_has'));
  if (isChained) throw malformedBundle(place, 'A condition in a transaction may not be chained.');
}

/** Judges the conditions of a transaction's entries, once, before anything of it is written. */
export class TransactionTargets {
  readonly judged: JudgedCondition[] = [];
  readonly #scope: WriteScope;
  readonly #bundle: FhirRequest;

  constructor(bundle: FhirRequest, scope: WriteScope) {
    this.#bundle = bundle;
    this.#scope = scope;
  }

  async #match(condition: MatchCondition, place: string): Promise<ReturnType<typeof matchOne>> {
    refuseChains(condition, place);
    const found = await matchOne(this.#scope, condition);
    this.judged.push({ ...condition, place, target: found && { type: found.type, id: found.id } });
    return found;
  }

  /** @throws {@link FhirError} as the entry's own request would. */
  async plan(entry: BundleEntry, matched: MatchedRoute): Promise<PlannedWrite> {
    const request = {
      ...entryRequest(this.#bundle, entry, matched),
      scope: { ...this.#scope, entry: entry.place },
    };
    const { route, type, id } = matched;
    if (route.isConditional !== true) {
      if (route.interaction === 'create') return this.#create(entry, matched, request);
      return { entry, matched, request, target: { type, id } };
    }
    const condition = { type, parameters: request.parameters, expression: `${type}?` };
    const found = await this.#match(condition, entry.place);
    const direct = (to: string) => ({
      entry,
      matched: matchRoute(entry.method, `${type}/${to}`),
      request: { ...request, id: to, parameters: [] },
      target: { type, id: to },
    });
    if (route.interaction === 'update') return this.#update(entry, found?.id, direct);
    if (found) return direct(found.id);
    if (route.interaction === 'patch') throw notFound();
    requireVersion(request.conditions, undefined);
    return { entry, matched, request, target: undefined, answer: { status: 204 } };
  }

  async #create(entry: BundleEntry, matched: MatchedRoute, request: FhirRequest): Promise<PlannedWrite> {
    const { type } = matched;
    const { ifNoneExist, ...conditions } = request.conditions;
    if (ifNoneExist !== undefined) {
      const parameters = parametersOf(ifNoneExist);
      const found = await this.#match({ type, parameters, expression: 'If-None-Exist' }, entry.place);
      if (found) {
        const answer = { status: 200, version: found };
        return { entry, matched, request, target: { type, id: found.id }, answer };
      }
    }
    const id = randomUUID();
    this.#assign(entry, id);
    return { entry, matched, request: { ...request, id, conditions }, target: { type, id } };
  }

  /** The condition that found nothing is about what this entry itself creates. */
  #assign(entry: BundleEntry, id: string): void {
    const last = this.judged.at(-1);
    if (last?.place !== entry.place || last.target) return;
    this.judged.splice(-1, 1, { ...last, target: { type: last.type, id } });
  }

  async #update(
    entry: BundleEntry,
    foundId: string | undefined,
    direct: (id: string) => PlannedWrite,
  ): Promise<PlannedWrite> {
    const ownId = entry.resource && idOf(entry.resource);
    const wrongId = (status: number, message: string) =>
      new FhirError({
        status,
        code: 'value',
        message,
        help: 'Name the resource by its id.',
        expression: ['Resource.id'],
      });
    if (foundId !== undefined && ownId !== undefined && ownId !== foundId) {
      throw wrongId(400, 'The resource has another id than the one that the condition fits.');
    }
    const type = entry.resource?.resourceType ?? '';
    if (
      foundId === undefined &&
      ownId !== undefined &&
      (await visibleVersion(this.#scope, { type, id: ownId }, 'update'))
    ) {
      throw wrongId(409, 'There is a resource with this id, and the condition does not fit it.');
    }
    const id = foundId ?? ownId ?? randomUUID();
    this.#assign(entry, id);
    const planned = direct(id);
    const { body } = planned.request;
    if (body.kind !== 'tree') return planned;
    return {
      ...planned,
      request: { ...planned.request, body: { kind: 'tree', tree: withField(body.tree, 'id', id) } },
    };
  }

  /** Resources that `Patient?identifier=...` in these resources stands for. Each must fit exactly one. */
  async conditionalReferences(
    resources: readonly (readonly [place: string, resource: LosslessResource])[],
  ): Promise<ReadonlyMap<string, string>> {
    const places = new Map<string, string>();
    for (const [place, resource] of resources) {
      rewriteReferences(resource, (reference) => {
        if (parseReference(reference).kind === 'conditional') places.set(reference, place);
        return undefined;
      });
    }
    const found = new Map<string, string>();
    for (const [reference, place] of places) {
      const [type = '', ...query] = reference.split('?');
      const parameters = parametersOf(query.join('?'));
      const condition = { type, parameters, expression: 'Resource' };
      const target = await this.#match(condition, place).catch((error: unknown) => {
        throw error instanceof FhirError ? error.inEntry(place) : error;
      });
      if (!target)
        throw malformedBundle(`${place}.resource`, 'A conditional reference fits no resource.', 412);
      found.set(reference, `${target.type}/${target.id}`);
    }
    return found;
  }
}
