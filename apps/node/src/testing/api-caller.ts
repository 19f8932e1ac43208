import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { OPERATOR_TOKEN_FILE } from '../api/access.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Uint8Array;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever JSON came.
  readonly json: any;
}

export interface ApiRequest {
  readonly method?: string;
  readonly body?: Uint8Array;
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks a node's HTTPS API as a foreign program does. */
export type ApiCaller = (path: string, options?: ApiRequest) => Promise<ApiAnswer>;

/** @param certificateAuthority PEM of the consortium. @param common Headers of every request. */
export function apiCaller(
  base: string,
  certificateAuthority: string,
  common: Readonly<Record<string, string>> = {},
): ApiCaller {
  return (path, options = {}) => {
    const { method = 'GET', body, type = 'application/cbor', accept = 'application/json' } = options;
    const headers = { ...common, accept, ...(body && { 'content-type': type }), ...options.headers };
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, base), { method, headers, ca: certificateAuthority }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const bytes = new Uint8Array(Buffer.concat(chunks));
          const contentType = response.headers['content-type'] ?? '';
          const json = contentType.includes('json') ? JSON.parse(Buffer.from(bytes).toString()) : undefined;
          const { statusCode: status = 0, headers: received } = response;
          resolve({ status, type: contentType, headers: received, bytes, json });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  };
}

/** The token of the operator of the node in this folder, as a tool on the same machine reads it. */
export function operatorTokenOf(folder: string): string {
  return readFileSync(join(folder, OPERATOR_TOKEN_FILE), 'utf8').trim();
}
