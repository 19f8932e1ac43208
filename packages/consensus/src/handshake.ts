import { equalBytes, err, ok, type Result } from '@careledger/primitives';
import type { EngineIdentity } from './protocol.ts';

/** What a node says first to another. */
export interface Hello {
  /** SHA-256 of the genesis document. */
  readonly chain: Uint8Array;
  readonly engine: EngineIdentity;
  /** Version of the messages between nodes. */
  readonly protocolVersion: number;
  readonly node: string;
}

export type HandshakeRefusalCode =
  | 'handshake/other-chain'
  | 'handshake/other-engine'
  | 'handshake/other-engine-version'
  | 'handshake/other-protocol-version'
  | 'handshake/not-a-member'
  | 'handshake/myself';

export interface HandshakeRefusal {
  readonly code: HandshakeRefusalCode;
  /** One sentence for the operators of both sides. */
  readonly message: string;
}

/**
 * Judges a peer's hello: every node of a network runs one chain, engine and protocol. What the peer is called was
 * proven by its certificate; `members` are the nodes that state knows.
 */
export function judgeHello(
  own: Hello,
  peer: Hello,
  members: ReadonlySet<string>,
): Result<undefined, HandshakeRefusal> {
  const refuse = (code: HandshakeRefusalCode, message: string): Result<undefined, HandshakeRefusal> =>
    err({ code, message });
  if (!equalBytes(own.chain, peer.chain)) {
    return refuse('handshake/other-chain', 'The peer is a node of another chain: its genesis differs.');
  }
  if (own.engine.id !== peer.engine.id) {
    return refuse(
      'handshake/other-engine',
      `The peer runs the engine ${peer.engine.id}; this chain runs ${own.engine.id}.`,
    );
  }
  if (own.engine.version !== peer.engine.version) {
    return refuse(
      'handshake/other-engine-version',
      `The peer runs version ${peer.engine.version} of ${own.engine.id}; this node runs ${own.engine.version}.`,
    );
  }
  if (own.protocolVersion !== peer.protocolVersion) {
    return refuse(
      'handshake/other-protocol-version',
      `The peer speaks protocol version ${peer.protocolVersion}; this node speaks ${own.protocolVersion}.`,
    );
  }
  if (peer.node === own.node) return refuse('handshake/myself', 'The peer names this very node.');
  if (!members.has(peer.node)) {
    return refuse('handshake/not-a-member', 'The peer is not a node of a member of this chain.');
  }
  return ok(undefined);
}
