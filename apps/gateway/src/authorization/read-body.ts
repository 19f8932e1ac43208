import type { IncomingMessage } from 'node:http';
import { FORM_BYTES_MAX } from './limits.ts';

/**
 * A small body as text.
 *
 * @returns `undefined` when it is longer than {@link FORM_BYTES_MAX} or not UTF-8.
 */
export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > FORM_BYTES_MAX) return undefined;
    chunks.push(chunk as Buffer);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    return undefined;
  }
}
