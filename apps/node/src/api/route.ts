import type { FastifyReply, FastifyRequest } from 'fastify';

/** A flat JSON schema of path or query parameters. */
export interface ParameterSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
  readonly additionalProperties: false;
}

/** One route: what serves it, what checks it, and what describes it. */
export interface ChainRoute {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly summary: string;
  readonly schema: { readonly params: ParameterSchema; readonly querystring: ParameterSchema };
  /** Content type of the request body. */
  readonly body?: string;
  /** Content types of the answer. */
  readonly answers: readonly string[];
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> | unknown;
}
