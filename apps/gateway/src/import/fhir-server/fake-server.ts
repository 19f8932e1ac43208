import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A resource of the fake server. */
export interface FakeResource {
  readonly resourceType: string;
  readonly id: string;
  readonly meta: { readonly versionId: string; readonly lastUpdated: string };
  readonly [name: string]: unknown;
}

/** Takes a request over; false leaves it to the honest server. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse, url: URL) => boolean;

export interface FakeServer {
  readonly url: string;
  readonly resources: FakeResource[];
  /** What was asked: path and query. */
  readonly asked: string[];
  readonly tokens: (string | undefined)[];
  misbehave: Misbehaviour | undefined;
  readonly close: () => Promise<void>;
}

/** Entries of one page, whatever the client asks for. */
const PAGE = 2;

export function sendJson(response: ServerResponse, value: unknown, status = 200): true {
  response.writeHead(status, { 'content-type': 'application/fhir+json', date: new Date().toUTCString() });
  response.end(JSON.stringify(value));
  return true;
}

export function searchset(entries: readonly unknown[], next?: string): object {
  const link = next === undefined ? [] : [{ relation: 'next', url: next }];
  return { resourceType: 'Bundle', type: 'searchset', link, entry: entries };
}

function capabilities(resources: readonly FakeResource[]): object {
  const types = [...new Set(resources.map(({ resourceType }) => resourceType)), 'Parameters', 'Unicorn'];
  const resource = types.map((type) => ({ type, interaction: [{ code: 'read' }, { code: 'search-type' }] }));
  return { resourceType: 'CapabilityStatement', rest: [{ mode: 'server', resource }] };
}

/** A small FHIR server for tests: pages by next links, `_lastUpdated=ge`, `_sort=_lastUpdated`. */
export async function startFakeServer(resources: FakeResource[]): Promise<FakeServer> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    fake.asked.push(`${url.pathname}${url.search}`);
    fake.tokens.push(request.headers.authorization);
    if (fake.misbehave?.(request, response, url)) return;
    const type = url.pathname.replace('/fhir/', '');
    if (type === 'metadata') {
      sendJson(response, capabilities(fake.resources));
      return;
    }
    const from = url.searchParams.get('_lastUpdated')?.replace('ge', '') ?? '';
    const found = fake.resources
      .filter(({ resourceType, meta }) => resourceType === type && meta.lastUpdated >= from)
      .sort((left, right) => (left.meta.lastUpdated < right.meta.lastUpdated ? -1 : 1));
    const start = Number(url.searchParams.get('page') ?? 0);
    url.searchParams.set('page', String(start + PAGE));
    const entries = found
      .slice(start, start + PAGE)
      .map((resource) => ({ resource, search: { mode: 'match' } }));
    sendJson(response, searchset(entries, start + PAGE < found.length ? url.href : undefined));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const fake: FakeServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`,
    resources,
    asked: [],
    tokens: [],
    misbehave: undefined,
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
  return fake;
}
