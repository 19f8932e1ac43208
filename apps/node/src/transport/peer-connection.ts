import type { TLSSocket } from 'node:tls';
import { CborError } from '@careledger/primitives';
import { encodeFrame, FrameError, FrameReader } from './frames.ts';
import {
  decodePeerMessage,
  encodePeerMessage,
  FRAME_BYTES_MAX,
  HANDSHAKE_BYTES_MAX,
  type PeerMessage,
} from './peer-message.ts';

/** A peer that lets this much wait is cut off; it reconnects and catches up. */
export const OUTGOING_BYTES_MAX = 2 * FRAME_BYTES_MAX;
/** Beyond this, transactions are no longer passed on to the peer; consensus still is. */
export const OUTGOING_GOSSIP_BYTES_MAX = 4 * 1024 * 1024;
/** A peer that says nothing for so long is gone: a living one pings. */
export const SILENCE_MS_MAX = 10_000;
export const PING_MS = 3_000;
/** How long a peer may take until its hello is answered. */
export const HANDSHAKE_MS_MAX = 5_000;

/** How long a refused peer may take to hear why. */
const GOODBYE_MS_MAX = 1_000;

export interface ConnectionListener {
  readonly onMessage: (message: PeerMessage) => void;
  /** Called once, with the reason when it was not the other side that closed. */
  readonly onClose: (reason: string) => void;
}

/** One TLS connection as frames of messages, with limits on both directions. */
export class PeerConnection {
  readonly #socket: TLSSocket;
  readonly #reader = new FrameReader(HANDSHAKE_BYTES_MAX);
  readonly #listener: ConnectionListener;
  readonly #pings: NodeJS.Timeout;
  #reason = 'the peer closed the connection';
  #isClosed = false;
  /** What a refused peer still says is not listened to. */
  #isRefused = false;

  constructor(socket: TLSSocket, listener: ConnectionListener) {
    this.#socket = socket;
    this.#listener = listener;
    socket.setNoDelay(true);
    socket.setTimeout(HANDSHAKE_MS_MAX, () => this.close('the peer is silent'));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (fault) => this.#note(fault.message));
    socket.on('close', () => this.#closed());
    this.#pings = setInterval(() => this.send({ kind: 'ping' }), PING_MS);
    this.#pings.unref();
  }

  /** The peer is known: larger frames, longer silence. */
  open(): void {
    this.#reader.bytesMax = FRAME_BYTES_MAX;
    this.#socket.setTimeout(SILENCE_MS_MAX);
  }

  /** Bytes that wait for the socket. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  send(message: PeerMessage): void {
    this.sendEncoded(encodeFrame(encodePeerMessage(message)));
  }

  /** Sends a frame that was encoded once for several peers. */
  sendEncoded(frame: Buffer): void {
    if (this.#isClosed || this.#isRefused) return;
    if (this.#socket.writableLength + frame.length > OUTGOING_BYTES_MAX) {
      this.close('the peer does not take what is sent');
      return;
    }
    this.#socket.write(frame);
  }

  /** Says why, then closes. */
  refuse(code: string, reason: string): void {
    this.#note(`${code}: ${reason}`);
    if (this.#isClosed) return;
    this.#isRefused = true;
    this.#socket.setTimeout(GOODBYE_MS_MAX, () => this.#socket.destroy());
    this.#socket.end(encodeFrame(encodePeerMessage({ kind: 'refused', code, reason })));
  }

  close(reason: string): void {
    this.#note(reason);
    this.#socket.destroy();
  }

  #note(reason: string): void {
    if (this.#reason === 'the peer closed the connection') this.#reason = reason;
  }

  #read(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#isRefused || this.#socket.destroyed) return;
        this.#listener.onMessage(decodePeerMessage(frame));
      }
    } catch (fault) {
      if (!(fault instanceof FrameError || fault instanceof CborError)) throw fault;
      this.close(`the peer sent no message: ${fault.message}`);
    }
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#pings);
    this.#listener.onClose(this.#reason);
  }
}
