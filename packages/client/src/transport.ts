import { toHex } from '@careledger/primitives';
import { ClientError, NodeRefusedError, NotShownError, TransportError } from './errors.ts';

/** One request to a node. The transport adds the base URL and the TLS; it judges nothing. */
export interface NodeRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query below the node's base URL. */
  readonly path: string;
  readonly body?: Uint8Array;
  readonly accept: string;
  readonly contentType?: string;
  /** A longer answer is cut off by the transport with an error. */
  readonly bytesMax: number;
}

export interface NodeAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

/** The way to a node: `fetch` in a browser, an HTTPS client elsewhere, a plain function in a test. */
export type NodeTransport = (request: NodeRequest) => Promise<NodeAnswer>;

/** Deterministic CBOR: what every proof comes in. */
export const CBOR_TYPE = 'application/cbor';

/** Where the node API keeps what (`/v1/openapi.json`). */
export function chainPath(chain: Uint8Array, ...parts: readonly string[]): string {
  return ['/v1/chains', toHex(chain), ...parts].join('/');
}

const TEXT_MAX = 300;

function shown(value: unknown, otherwise: string): string {
  if (typeof value !== 'string') return otherwise;
  // A node's words reach a terminal: control characters stay out.
  const printable = [...value].filter((character) => character >= ' ' && character !== '\u007f');
  return printable.slice(0, TEXT_MAX).join('');
}

/** A node's refusal as an error, its words made fit for a terminal. */
export function refusalOf(answer: NodeAnswer): NodeRefusedError {
  let fields: Readonly<Record<string, unknown>> = {};
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(answer.body));
    if (typeof parsed === 'object' && parsed !== null) fields = parsed as Readonly<Record<string, unknown>>;
  } catch {
    fields = {};
  }
  return new NodeRefusedError({
    status: answer.status,
    code: shown(fields.code, 'node/refused'),
    message: shown(fields.message, `The node refused the request with status ${answer.status}.`),
    help: shown(fields.help, 'See the node API documentation.'),
  });
}

/**
 * Sends one request and returns the body of its success.
 *
 * @param subject What is asked for, for the error when the node does not show it.
 * @throws NotShownError, NodeRefusedError, TransportError.
 */
export async function ask(
  transport: NodeTransport,
  request: NodeRequest,
  subject: string,
): Promise<Uint8Array> {
  let answer: NodeAnswer;
  try {
    answer = await transport(request);
  } catch (cause) {
    throw cause instanceof ClientError ? cause : new TransportError(cause);
  }
  if (answer.status === 404) throw new NotShownError(subject);
  if (answer.status < 200 || answer.status > 299) throw refusalOf(answer);
  if (answer.body.length > request.bytesMax) throw new TransportError();
  return answer.body;
}
