import { type Codec, equalBytes, hashCodec, struct, toHex } from '@careledger/primitives';
import {
  accepted,
  type Capability,
  messageType,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
  type Write,
} from '@careledger/state-machine';
import {
  type Approval,
  approvalClaims,
  approvalsCodec,
  approversOf,
  isApproved,
} from '../membership/index.ts';
import { signedText } from '../signed-text.ts';
import {
  decodeSchema,
  encodeSchema,
  FIRST_VERSION,
  SCHEMAS_MAX,
  SCHEMAS_PREFIX,
  schemaHash,
  schemasOf,
  type TypeSchema,
  writeSchema,
} from './schema.ts';

export {
  decodeSchema,
  encodeSchema,
  isSchemaInForce,
  listSchemas,
  schemaHash,
  schemaKey,
  type TypeSchema,
  versionOf,
} from './schema.ts';

/** Puts one more version of a transaction type in force, approved by the consortium. */
export interface AdoptSchema {
  /** SHA-256 of the schema's CBOR. Every node finds the schema itself: it brings the code that reads it. */
  readonly schema: Uint8Array;
  readonly approvals: readonly Approval[];
}

export const adoptSchemaCodec: Codec<AdoptSchema> = struct({ schema: hashCodec, approvals: approvalsCodec });

/** Why a schema is not adopted. Numbers go into block results: append, never renumber. */
export const rejections = {
  'schemas/not-administrator': 1,
  'schemas/not-approved': 2,
  'schemas/unknown': 3,
  'schemas/already-in-force': 4,
} as const;

export type SchemasRejection = keyof typeof rejections;

/** What an administrator signs to approve a schema. */
export function adoptSchemaText(chain: Uint8Array, schema: Uint8Array): Uint8Array {
  return signedText('careledger/schemas/adopt/v1', chain, schema);
}

function adoptSchema(known: () => readonly TypeSchema[]) {
  return (
    state: StateReader,
    message: AdoptSchema,
    context: TransitionContext,
  ): Outcome<SchemasRejection> => {
    if (!context.roles.includes('administrator')) return rejected('schemas/not-administrator');
    const schema = known().find((one) => equalBytes(schemaHash(one), message.schema));
    if (!schema) return rejected('schemas/unknown');
    const write = writeSchema(schema);
    if (state.get(write.key)) return rejected('schemas/already-in-force');
    if (!isApproved(state, approversOf(message.approvals, context))) return rejected('schemas/not-approved');
    const attributes = { schema: toHex(message.schema), version: String(schema.version) };
    return accepted([write], [{ type: 'schemas/adopted', attributes }]);
  };
}

/** Makes the capability that keeps the schemas of all others, and of its own message. */
export function schemasFor(others: readonly Capability[]): Capability {
  const known = (): readonly TypeSchema[] => schemasOf([...others, capability]);
  const capability: Capability = {
    name: 'schemas',
    codeBase: 6000,
    rejections,
    messages: {
      'schemas/adopt': messageType({
        codec: adoptSchemaCodec,
        transition: adoptSchema(known),
        signaturesOf: ({ approvals, schema }, chain) =>
          approvalClaims(approvals, adoptSchemaText(chain, schema)),
      }),
    },
    invariants: [{ name: 'schemas/are-canonical', check: checkSchemas }],
  };
  return capability;
}

function checkSchemas(state: StateReader): string | undefined {
  for (const [key, value] of state.scan(SCHEMAS_PREFIX, SCHEMAS_MAX)) {
    const schema = decodeSchema(value);
    if (!equalBytes(encodeSchema(schema), value)) return 'a schema is not in its one form';
    if (!equalBytes(writeSchema(schema).key, key)) return 'a schema stands under another type';
  }
  return undefined;
}

/** The first version of every type is in force from genesis on; later ones are adopted. */
export function initialSchemaWrites(capabilities: readonly Capability[]): readonly Write[] {
  return schemasOf(capabilities)
    .filter(({ version }) => version === FIRST_VERSION)
    .map(writeSchema);
}
