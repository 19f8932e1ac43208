import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { limitArrival } from './arrival-limit.ts';

let server: Server;
beforeAll(async () => {
  server = createServer((asked, response) => {
    limitArrival(asked, 50);
    asked.resume().once('end', () => response.end('whole'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => server.close());

/** Sends a body in two halves, a quarter of a second apart. */
function sendSlowly(path: string, type: string): Promise<number | undefined> {
  const { port } = server.address() as AddressInfo;
  const headers = { 'content-type': type, 'content-length': '4', connection: 'close' };
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path, method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.once('error', () => resolve(undefined));
    asked.write('ab');
    setTimeout(() => asked.end('cd'), 250);
  });
}

it('a body that dawdles is cut off, unless it is a document on its way to a Binary', async () => {
  expect(await sendSlowly('/fhir/R4/Patient', 'application/fhir+json')).toBeUndefined();
  expect(await sendSlowly('/fhir/R4/Binary', 'application/fhir+json')).toBeUndefined();
  expect(await sendSlowly('/fhir/R4/Binary', 'application/dicom')).toBe(200);
});
