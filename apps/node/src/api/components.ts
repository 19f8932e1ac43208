import { ENTITY_TYPES, recordDisputeCodec } from '@careledger/capabilities';
import {
  blockCodec,
  certificateCodec,
  certifiedHeaderCodec,
  disputeCodec,
  genesisCodec,
  headerCodec,
  stateEvidenceCodec,
  transactionEvidenceCodec,
  transactionResultCodec,
  trustPathCodec,
  validatorCodec,
} from '@careledger/ledger';
import { type Codec, hashCodec, nodeIdCodec, organizationIdCodec } from '@careledger/primitives';
import { jsonSchemaOf, listOf, objectOf } from './json-schema.ts';

/** A JSON schema (draft 2020-12, as OpenAPI 3.1 has it). */
export type JsonSchema = Readonly<Record<string, unknown>>;

const integer: JsonSchema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const words: JsonSchema = { type: 'string' };
const hash = jsonSchemaOf(hashCodec.shape);
const hex: JsonSchema = { type: 'string', pattern: '^([0-9a-f]{2})*$' };
const cursor: JsonSchema = {
  type: 'string',
  description: 'Ask again with it for the next page; absent on the last.',
};

function of(codec: Pick<Codec<unknown>, 'shape'>): JsonSchema {
  return jsonSchemaOf(codec.shape);
}

/** A codec's object with more properties. */
function withMore(
  codec: Pick<Codec<unknown>, 'shape'>,
  more: Readonly<Record<string, JsonSchema>>,
): JsonSchema {
  const { properties, required } = jsonSchemaOf(codec.shape) as ReturnType<typeof objectOf>;
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  return objectOf({ ...properties, ...more }, optional);
}

const standing: JsonSchema = { type: 'string', enum: ['active', 'suspended', 'revoked'] };
const event: JsonSchema = objectOf({
  type: words,
  attributes: { type: 'object', additionalProperties: words },
});
const connection = objectOf({ node: of(nodeIdCodec), connected: { type: 'boolean' } });
const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

const finalTransaction = objectOf({
  id: hash,
  height: integer,
  index: integer,
  time: integer,
  result: reference('Result'),
});
const listedTransaction = objectOf({
  id: hash,
  height: integer,
  index: integer,
  time: integer,
  type: words,
  actor: hash,
  commitment: hash,
  result: reference('Result'),
});

/** What every kind of JSON answer looks like, by its name in the OpenAPI document. */
export const components = {
  Problem: objectOf({
    code: {
      type: 'string',
      pattern: '^[a-z-]+/[a-z0-9-]+$',
      description: 'Permanent: what a program acts on.',
    },
    message: words,
    help: words,
  }),
  Header: jsonSchemaOf(headerCodec.shape),
  Certificate: jsonSchemaOf(certificateCodec.shape),
  Result: jsonSchemaOf(transactionResultCodec.shape),
  Status: objectOf(
    {
      node: of(nodeIdCodec),
      chain: hash,
      engine: objectOf({ id: words, version: integer }),
      engineHeight: integer,
      height: integer,
      headerHash: hash,
      stateRoot: hash,
      time: integer,
      peers: listOf(connection),
      mempool: objectOf({ transactions: integer, bytes: integer }),
      storage: objectOf({ segmentBytes: integer, transactions: integer, prunedBelow: integer }),
      halted: words,
    },
    ['halted'],
  ),
  Genesis: jsonSchemaOf(genesisCodec.shape),
  Block: withMore(blockCodec, { headerHash: hash }),
  BlockPage: objectOf(
    {
      blocks: listOf(
        objectOf(
          {
            headerHash: hash,
            header: reference('Header'),
            certificate: reference('Certificate'),
            transactions: integer,
            bytes: integer,
            isPruned: { type: 'boolean', description: 'The body is no longer kept here.' },
          },
          ['transactions', 'bytes', 'isPruned'],
        ),
      ),
      next: cursor,
    },
    ['next'],
  ),
  Head: withMore(certifiedHeaderCodec, { engineHeight: integer, time: integer, headerHash: hash }),
  Validators: objectOf({ validators: listOf(jsonSchemaOf(validatorCodec.shape)) }),
  TrustPath: jsonSchemaOf(trustPathCodec.shape),
  Consistency: objectOf({
    first: integer,
    second: integer,
    firstRoot: hash,
    secondRoot: hash,
    proof: listOf(hash),
  }),
  Submitted: objectOf({ id: hash }),
  FinalTransaction: finalTransaction,
  TransactionEvidence: jsonSchemaOf(transactionEvidenceCodec.shape),
  TransactionPage: objectOf({ transactions: listOf(listedTransaction), next: cursor }, ['next']),
  Match: objectOf({ matched: { type: 'boolean' }, transactions: listOf(listedTransaction) }),
  StateEvidence: jsonSchemaOf(stateEvidenceCodec.shape),
  History: objectOf(
    {
      height: integer,
      after: { ...integer, description: 'Changes after this height are all known here.' },
      changes: listOf(
        objectOf(
          {
            height: integer,
            time: integer,
            index: integer,
            transaction: hash,
            type: words,
            isRemoved: { type: 'boolean' },
            valueHash: hash,
            value: hex,
          },
          ['index', 'transaction', 'type', 'valueHash', 'value'],
        ),
      ),
      next: cursor,
    },
    ['next'],
  ),
  Dispute: withMore(disputeCodec, { answerHash: hash }),
  Organizations: objectOf({
    organizations: listOf(
      objectOf({
        organization: of(organizationIdCodec),
        entityType: { type: 'string', enum: [...ENTITY_TYPES] },
        encryptionKey: hash,
        standing,
        revision: integer,
        administrators: integer,
      }),
    ),
  }),
  Nodes: objectOf({
    nodes: listOf(
      objectOf({
        node: of(nodeIdCodec),
        organization: of(organizationIdCodec),
        publicKey: hash,
        fingerprint: hash,
        power: integer,
        standing,
      }),
    ),
    connections: listOf(connection),
  }),
  ListPage: objectOf({
    height: integer,
    count: integer,
    countKey: hex,
    items: listOf({ type: 'object', required: ['index', 'key'], properties: { index: integer, key: hex } }),
  }),
  Schemas: objectOf({
    schemas: listOf(
      objectOf({
        type: words,
        name: words,
        version: integer,
        schemaHash: hash,
        schema: hex,
        body: { type: 'object', description: 'The body as a JSON schema, bytes in hexadecimal.' },
      }),
    ),
  }),
  RecordDisputes: objectOf({
    disputes: listOf(withMore(recordDisputeCodec, { organization: of(organizationIdCodec) })),
  }),
  Denials: objectOf({
    entries: listOf(
      objectOf(
        {
          sequence: integer,
          time: integer,
          permission: { type: 'string', enum: ['open', 'read', 'append', 'operate'] },
          method: words,
          route: words,
          reason: words,
          organization: words,
          publicKey: hash,
          suppressed: integer,
          previous: hash,
          hash,
        },
        ['organization', 'publicKey'],
      ),
    ),
  }),
  BlockEvent: objectOf({
    height: integer,
    time: integer,
    headerHash: hash,
    stateRoot: hash,
    count: integer,
    transactions: listOf(
      objectOf({ id: hash, index: integer, type: words, code: integer, events: listOf(event) }),
    ),
  }),
  HeartbeatEvent: objectOf({ engineHeight: integer, time: integer, height: integer, headerHash: hash }),
  Alive: objectOf({ alive: { type: 'boolean' }, halted: { type: ['string', 'null'] } }),
  Ready: objectOf({ ready: { type: 'boolean' }, finalBlockAgeMs: { type: 'integer' } }),
} satisfies Readonly<Record<string, JsonSchema>>;

export type ComponentName = keyof typeof components;
