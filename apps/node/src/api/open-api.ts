import type { Access } from './access.ts';
import { components, type JsonSchema } from './components.ts';
import { CBOR } from './parameters.ts';
import type { ChainRoute } from './route.ts';

const JSON_TYPE = 'application/json';

/** Which faults a caller has to reckon with, by status. */
const faults: Readonly<Record<number, string>> = {
  400: 'The request is malformed, or the ledger refuses what was sent.',
  403: 'The caller has no permission. The call stands in the journal of denied calls.',
  404: 'There is no such thing, or not yet.',
  409: 'What was sent belongs to another chain.',
  410: 'It was here and is no longer kept.',
  413: 'The body is too large.',
  429: 'Too many requests: ask again after Retry-After seconds.',
  503: 'The node cannot serve this now. Ask again later.',
};

const security: Readonly<Record<Access, readonly object[]>> = {
  open: [],
  append: [],
  read: [{ token: [] }],
  operate: [{ token: [] }],
};

/** The document that describes the API, made from the very routes that serve it. */
export function openApiDocument(routes: readonly ChainRoute[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Careledger node API',
      version: '1',
      description:
        'One member’s copy of the ledger, with what proves every answer. Bytes are lower-case hexadecimal in JSON; programs that verify ask for deterministic CBOR.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description:
            'The operator token of this node, or an access token signed by a key that is in force.',
        },
      },
    },
  };
}

function operationIdOf({ method, url }: ChainRoute): string {
  const parts = url
    .split('/')
    .filter((part) => part !== '' && part !== 'v1' && part !== 'chains' && part !== ':chain');
  const words = parts.map((part) => part.replace(/\W/g, ' ').trim()).join(' ') || 'chain';
  return `${method.toLowerCase()} ${words}`.replaceAll(/ +(\w)/g, (_, letter: string) =>
    letter.toUpperCase(),
  );
}

function operationOf(route: ChainRoute): object {
  const { summary, schema, body, answers, answer, accepted, access, headers = {} } = route;
  const problem = { [JSON_TYPE]: { schema: reference('Problem') } };
  const failures = Object.entries(faults).map(([status, description]) => [
    status,
    { description, content: problem, ...(status === '429' && { headers: retryAfter }) },
  ]);
  return {
    operationId: operationIdOf(route),
    summary,
    security: security[access],
    parameters: [
      ...parametersOf('path', schema.params),
      ...parametersOf('query', schema.querystring),
      ...Object.entries(headers).map(([name, property]) => ({ name, in: 'header', schema: property })),
    ],
    ...(body && { requestBody: { required: true, content: { [body]: { schema: schema.body ?? {} } } } }),
    responses: {
      200: { description: 'The answer.', content: contentOf(answers, answer) },
      ...(accepted && {
        [accepted.status]: { description: 'Accepted.', content: contentOf(answers, accepted.answer) },
      }),
      ...Object.fromEntries(failures),
      default: { description: 'What went wrong.', content: problem },
    },
  };
}

const retryAfter = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } };

function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function contentOf(types: readonly string[], answer: string | undefined): object {
  const schemaOf = (type: string): object => {
    if (type === JSON_TYPE && answer !== undefined) return { schema: reference(answer) };
    return type === CBOR ? {} : { schema: { type: 'string' } };
  };
  return Object.fromEntries(types.map((type) => [type, schemaOf(type)]));
}

function parametersOf(place: 'path' | 'query', schema: ChainRoute['schema']['params']): readonly object[] {
  return Object.entries(schema.properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || (schema.required ?? []).includes(name),
    schema: property,
  }));
}
