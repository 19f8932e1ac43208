import type { ChainRoute } from './route.ts';

/** The document that describes the API, made from the very routes that serve it. */
export function openApiDocument(routes: readonly ChainRoute[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Careledger node API', version: '1', license: { name: 'Apache-2.0' } },
    paths,
    components: {
      schemas: {
        Problem: {
          type: 'object',
          required: ['code', 'message', 'help'],
          properties: { code: { type: 'string' }, message: { type: 'string' }, help: { type: 'string' } },
        },
      },
    },
  };
}

function operationOf({ summary, schema, body, answers }: ChainRoute): object {
  const problem = { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } };
  const content = Object.fromEntries(answers.map((type) => [type, {}]));
  return {
    summary,
    parameters: [...parametersOf('path', schema.params), ...parametersOf('query', schema.querystring)],
    ...(body && { requestBody: { required: true, content: { [body]: {} } } }),
    responses: {
      200: { description: 'The answer.', content },
      default: { description: 'What went wrong.', content: problem },
    },
  };
}

function parametersOf(
  place: 'path' | 'query',
  schema: ChainRoute['schema']['params'] | undefined,
): readonly object[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path',
    schema: property,
  }));
}
