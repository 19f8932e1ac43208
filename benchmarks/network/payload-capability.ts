import { catalog } from '@careledger/capabilities';
import { bytes, concat, fixedBytes, sha256, struct, uint, utf8 } from '@careledger/primitives';
import { accepted, type Capability, type Catalog, messageType, type Write } from '@careledger/state-machine';

const PREFIX = utf8('payload/');
const CONTENT_BYTES_MAX = 1024 * 1024;

/** Puts content of any length under a key of its own: what the real capabilities have no message for. */
export const putCodec = struct({ name: fixedBytes(16), content: bytes({ bytesMax: CONTENT_BYTES_MAX }) });

/** Writes many keys by one transaction: the quickest way to a large state. */
export const fillCodec = struct({ from: uint, count: uint });

function keyOf(name: Uint8Array): Uint8Array {
  return concat(PREFIX, name);
}

function numbered(number: number): Write {
  const name = sha256(uint.encode(number));
  return { key: keyOf(name), value: name };
}

const payload: Capability = {
  name: 'payload',
  codeBase: 90_000,
  rejections: {},
  messages: {
    'payload/put': messageType({
      codec: putCodec,
      transition: (_state, { name, content }) => accepted([{ key: keyOf(name), value: sha256(content) }], []),
    }),
    'payload/fill': messageType({
      codec: fillCodec,
      transition: (_state, { from, count }) =>
        accepted(
          Array.from({ length: count }, (_, index) => numbered(from + index)),
          [],
        ),
    }),
  },
  invariants: [],
};

/** The real catalog, and a capability that only benchmarks have: in force without a schema on the ledger. */
export const benchmarkCatalog: Catalog = {
  ...catalog,
  capabilities: [...catalog.capabilities, payload],
  isTypeInForce: (state, type) => Object.hasOwn(payload.messages, type) || catalog.isTypeInForce(state, type),
};
