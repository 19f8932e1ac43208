import type { IncomingMessage } from 'node:http';
import { isDocumentUpload } from './content-types.ts';

/**
 * Cuts a connection whose request body does not arrive in time. Node has one such limit for all requests, and a document
 * may take longer than anything else.
 */
export function limitArrival(request: IncomingMessage, millisecondsMax: number): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if ((length === undefined && encoding === undefined) || isDocumentUpload(request)) return;
  const cut = setTimeout(() => {
    if (!request.complete) request.socket.destroy();
  }, millisecondsMax);
  request.once('close', () => clearTimeout(cut));
}
