/** Bytes before each frame: its length, big-endian. */
const LENGTH_BYTES = 4;

/** A peer that does not speak the frame format, or sends more than it may. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** A frame as it goes to the socket. */
export function encodeFrame(content: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + content.length);
  frame.writeUInt32BE(content.length, 0);
  frame.set(content, LENGTH_BYTES);
  return frame;
}

/** Cuts a byte stream into frames. A length beyond the limit is refused before a byte of it is kept. */
export class FrameReader {
  /** May be raised when the peer has shown who it is. */
  bytesMax: number;
  #chunks: Buffer[] = [];
  #buffered = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Takes what the socket gave and yields every frame that is whole. @throws FrameError */
  *push(chunk: Buffer): Iterable<Uint8Array> {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    for (;;) {
      if (this.#buffered < LENGTH_BYTES) return;
      const length = this.#peekLength();
      if (length > this.bytesMax)
        throw new FrameError(`a frame of ${length} bytes; ${this.bytesMax} are allowed`);
      if (this.#buffered < LENGTH_BYTES + length) return;
      const joined = this.#join();
      const rest = joined.subarray(LENGTH_BYTES + length);
      this.#chunks = rest.length > 0 ? [rest] : [];
      this.#buffered = rest.length;
      yield new Uint8Array(joined.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
    }
  }

  #peekLength(): number {
    const first = this.#chunks[0];
    return (first && first.length >= LENGTH_BYTES ? first : this.#join()).readUInt32BE(0);
  }

  #join(): Buffer {
    const [only, ...more] = this.#chunks;
    const joined = only && more.length === 0 ? only : Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
