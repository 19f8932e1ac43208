import { isR4ResourceType } from '../validation/index.ts';
import { methodNotAllowed, notSupported } from './fhir-error.ts';
import type { FhirAnswer, FhirMethod, FhirRequest } from './fhir-request.ts';
import { create } from './interactions/create.ts';
import { conditionalDelete, deleteResource } from './interactions/delete.ts';
import { instanceHistory, systemHistory, typeHistory } from './interactions/history.ts';
import { conditionalPatch, patch } from './interactions/patch.ts';
import { read, vread } from './interactions/read.ts';
import { search } from './interactions/search.ts';
import { conditionalUpdate, update } from './interactions/update.ts';
import { everything } from './operations/everything.ts';
import { match } from './operations/match-operation.ts';
import { meta, metaAdd, metaDelete } from './operations/meta.ts';
import { validate, validateInstance } from './operations/validate.ts';

/** Types that are answers and questions of the API itself: nothing to store. */
export const NOT_STORED: ReadonlySet<string> = new Set(['OperationOutcome', 'Parameters']);

/** Interactions as a CapabilityStatement names them. */
export type InteractionCode =
  | 'read'
  | 'vread'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'search-type'
  | 'search-system'
  | 'history-instance'
  | 'history-type'
  | 'history-system'
  | 'operation';

/** One thing that this server does. `/metadata` is generated from these. */
export interface Route {
  readonly method: FhirMethod;
  /** `Type`, `Type/id`, `Type/id/_history/version`, `Patient/$match`: literal but for `Type`, `id` and `version`. */
  readonly shape: string;
  readonly interaction: InteractionCode;
  readonly handler: (request: FhirRequest) => Promise<FhirAnswer>;
  /** Writes: carried out inside one transaction. */
  readonly isWrite?: boolean;
  /** Its address is a search that names the resource. */
  readonly isConditional?: boolean;
}

const CONDITIONAL = { isWrite: true, isConditional: true } as const;

export const ROUTES: readonly Route[] = [
  { method: 'GET', shape: 'Type/id', interaction: 'read', handler: read },
  { method: 'GET', shape: 'Type/id/_history/version', interaction: 'vread', handler: vread },
  { method: 'POST', shape: 'Type', interaction: 'create', handler: create, isWrite: true },
  { method: 'PUT', shape: 'Type/id', interaction: 'update', handler: update, isWrite: true },
  { method: 'PUT', shape: 'Type', interaction: 'update', handler: conditionalUpdate, ...CONDITIONAL },
  { method: 'PATCH', shape: 'Type/id', interaction: 'patch', handler: patch, isWrite: true },
  { method: 'PATCH', shape: 'Type', interaction: 'patch', handler: conditionalPatch, ...CONDITIONAL },
  { method: 'DELETE', shape: 'Type/id', interaction: 'delete', handler: deleteResource, isWrite: true },
  { method: 'DELETE', shape: 'Type', interaction: 'delete', handler: conditionalDelete, ...CONDITIONAL },
  { method: 'GET', shape: 'Type', interaction: 'search-type', handler: search },
  { method: 'POST', shape: 'Type/_search', interaction: 'search-type', handler: search },
  { method: 'GET', shape: '', interaction: 'search-system', handler: search },
  { method: 'POST', shape: '_search', interaction: 'search-system', handler: search },
  { method: 'GET', shape: 'Type/id/_history', interaction: 'history-instance', handler: instanceHistory },
  { method: 'GET', shape: 'Type/_history', interaction: 'history-type', handler: typeHistory },
  { method: 'GET', shape: '_history', interaction: 'history-system', handler: systemHistory },
  { method: 'POST', shape: 'Type/$validate', interaction: 'operation', handler: validate },
  { method: 'GET', shape: 'Type/id/$validate', interaction: 'operation', handler: validateInstance },
  { method: 'POST', shape: 'Type/id/$validate', interaction: 'operation', handler: validateInstance },
  { method: 'GET', shape: 'Type/id/$meta', interaction: 'operation', handler: meta },
  { method: 'GET', shape: 'Type/id/_history/version/$meta', interaction: 'operation', handler: meta },
  { method: 'POST', shape: 'Type/id/$meta-add', interaction: 'operation', handler: metaAdd, isWrite: true },
  {
    method: 'POST',
    shape: 'Type/id/$meta-delete',
    interaction: 'operation',
    handler: metaDelete,
    isWrite: true,
  },
  { method: 'POST', shape: 'Patient/$match', interaction: 'operation', handler: match },
  { method: 'GET', shape: 'Patient/id/$everything', interaction: 'operation', handler: everything },
  { method: 'POST', shape: 'Patient/id/$everything', interaction: 'operation', handler: everything },
];

const byShape = new Map(ROUTES.map((route) => [`${route.method} ${route.shape}`, route]));
const shapes = new Set(ROUTES.map(({ shape }) => shape));

/** A route and what its address names. */
export interface MatchedRoute {
  readonly route: Route;
  readonly type: string;
  readonly id: string;
  readonly version: string;
}

function isLiteral(segment: string): boolean {
  return segment.startsWith('_') || segment.startsWith('$');
}

/** `Patient/1/_history/2` → `Type/id/_history/version`. */
function shapeOf([first = '', second, third, fourth, ...rest]: readonly string[]): string {
  if (first === '' || isLiteral(first))
    return [first, second, third, fourth, ...rest].filter(Boolean).join('/');
  const parts = ['Type'];
  if (second !== undefined) parts.push(isLiteral(second) ? second : 'id');
  if (third !== undefined) parts.push(third);
  if (fourth !== undefined) parts.push('version');
  return [...parts, ...rest].join('/');
}

/**
 * Finds what answers a request.
 * @throws {@link FhirError} 404 for an address that nothing answers, 405 for a method that it does not.
 */
export function matchRoute(method: FhirMethod, path: string): MatchedRoute {
  const segments = path.split('/').filter((segment) => segment !== '');
  const [type = '', second = ''] = segments;
  const shape = shapeOf(segments);
  const isSystem = type === '' || isLiteral(type);
  if (!isSystem && (!isR4ResourceType(type) || NOT_STORED.has(type))) throw notSupported();
  // Operations of one type are written with it; HEAD is GET without a body.
  const asked = method === 'HEAD' ? 'GET' : method;
  const ofType = shape.replace('Type', type);
  const route = byShape.get(`${asked} ${ofType}`) ?? byShape.get(`${asked} ${shape}`);
  if (!route) throw shapes.has(shape) || shapes.has(ofType) ? methodNotAllowed() : notSupported();
  return {
    route,
    type: isSystem ? '' : type,
    id: isLiteral(second) ? '' : second,
    version: segments[2] === '_history' ? (segments[3] ?? '') : '',
  };
}
