import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from './access.ts';
import type { ComponentName, JsonSchema } from './components.ts';

/** A flat JSON schema of path or query parameters. */
export interface ParameterSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties: false;
}

/** One route: what serves it, what checks it, who may ask it, and what describes it. */
export interface ChainRoute {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly summary: string;
  readonly access: Access;
  readonly schema: {
    readonly params: ParameterSchema;
    readonly querystring: ParameterSchema;
    readonly body?: JsonSchema;
  };
  /** Content type of the request body. */
  readonly body?: string;
  /** Header parameters by name. */
  readonly headers?: Readonly<Record<string, JsonSchema>>;
  /** Content types of the answer. */
  readonly answers: readonly string[];
  /** What a JSON answer looks like. */
  readonly answer?: ComponentName;
  /** Another status of success than 200, with the same content types. */
  readonly accepted?: { readonly status: number; readonly answer: ComponentName };
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> | unknown;
}
