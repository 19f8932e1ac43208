import {
  acknowledgements,
  anchors,
  type DenseList,
  disclosureAnchors,
  encodeSchema,
  listNodes,
  listOrganizations,
  listRecordDisputes,
  listSchemas,
  type TypeSchema,
} from '@careledger/capabilities';
import { organizationIdCodec, sha256, toHex } from '@careledger/primitives';
import { NodeError } from '../errors.ts';
import { toJson } from '../evidence-file.ts';
import type { RunningNode } from '../running-node.ts';
import { jsonSchemaOf } from './json-schema.ts';
import { hash, hexParameter, JSON_TYPE, number } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

const ITEMS_LISTED_MAX = 1_000;
const ITEMS_LISTED = 100;

type ReadableList = Pick<DenseList<object>, 'count' | 'countKey' | 'itemKey' | 'read'>;

/** The provably complete lists of the capabilities: a count, and items numbered from 0. */
const lists: Readonly<Record<string, ReadableList>> = {
  'records-anchors': anchors,
  'disclosures-anchors': disclosureAnchors,
  'disclosures-acknowledgements': acknowledgements,
};

/** What the capabilities keep, as lists. */
export function listRoutes(node: RunningNode): readonly RouteOptions[] {
  const { state } = node.chain.store.index;
  return [
    {
      method: 'GET',
      path: '/organizations',
      summary: 'The members of the consortium with their standing.',
      access: 'read',
      answers: [JSON_TYPE],
      answer: 'Organizations',
      handler: () => toJson({ organizations: listOrganizations(state) }),
    },
    {
      method: 'GET',
      path: '/nodes',
      summary: 'The nodes of the members with their standing, and what this node is connected to.',
      access: 'read',
      answers: [JSON_TYPE],
      answer: 'Nodes',
      handler: () => toJson({ nodes: listNodes(state), connections: node.mesh.topology() }),
    },
    {
      method: 'GET',
      path: '/schemas',
      summary:
        'The schema of every transaction type in force, with its versions, as it stands on the ledger.',
      access: 'open',
      answers: [JSON_TYPE],
      answer: 'Schemas',
      handler: () => ({ schemas: listSchemas(state).map(describeSchema) }),
    },
    {
      method: 'GET',
      path: '/records/:leaf/disputes',
      summary: 'Who disputes a record version, by the hash of its leaf. Provable by their state keys.',
      access: 'read',
      params: { leaf: hash },
      answers: [JSON_TYPE],
      answer: 'RecordDisputes',
      handler: (request) => {
        const { leaf } = request.params as { readonly leaf: string };
        return toJson({ disputes: listRecordDisputes(state, hexParameter(leaf)) });
      },
    },
    {
      method: 'GET',
      path: '/lists/:list/:organization',
      summary:
        'One capability’s list of one organization: the count, and items by number. Provable by their state keys.',
      params: {
        list: { type: 'string', enum: Object.keys(lists) },
        organization: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,47}$' },
      },
      query: { from: number, limit: { ...number, minimum: 1, maximum: ITEMS_LISTED_MAX } },
      access: 'read',
      answers: [JSON_TYPE],
      answer: 'ListPage',
      handler: (request) => {
        const { list: name, organization } = request.params as {
          readonly list: string;
          readonly organization: string;
        };
        const { from = 0, limit = ITEMS_LISTED } = request.query as {
          readonly from?: number;
          readonly limit?: number;
        };
        const list = lists[name];
        if (!list) throw new NodeError('api/not-found', 'there is no such list', 'See /v1/openapi.json.');
        return toJson(readList(node, list, { organization, from, limit }));
      },
    },
  ];
}

function describeSchema(schema: TypeSchema): object {
  const { name, version, body } = schema;
  const encoded = encodeSchema(schema);
  return {
    type: version === 1 ? name : `${name}@${version}`,
    name,
    version,
    schemaHash: toHex(sha256(encoded)),
    schema: toHex(encoded),
    body: jsonSchemaOf(body),
  };
}

function readList(
  node: RunningNode,
  list: ReadableList,
  options: { readonly organization: string; readonly from: number; readonly limit: number },
): object {
  const { state } = node.chain.store.index;
  const organization = organizationIdCodec.fromCbor(options.organization);
  const count = list.count(state, organization);
  const last = Math.min(count, options.from + options.limit);
  const numbers = Array.from(
    { length: Math.max(0, last - options.from) },
    (_, offset) => options.from + offset,
  );
  const items = numbers.map((index) => ({
    index,
    key: list.itemKey(organization, index),
    ...list.read(state, organization, index),
  }));
  return { height: node.chain.height, count, countKey: list.countKey(organization), items };
}
