import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeTransaction, encodeReceipt, verifyReceipt } from '@careledger/ledger';
import { verifySignature } from '@careledger/primitives';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PATIENT } from '../fhir/testing.ts';
import { DOCUMENT_BYTES_MAX, DOCUMENT_CHUNK_BYTES, documentManifest } from '../vault/index.ts';
import { INLINE_BYTES_MAX } from './index.ts';
import { openTestGateway, type TestGateway } from './testing.ts';

const LARGE_BYTES = 100 * 1024 * 1024;
const PIECE = Buffer.alloc(64 * 1024, 'careledger ');
/** What one process that sends, stores and reads the document at once may take on top of what it had. */
const MEMORY_BYTES_MAX = 48 * 1024 * 1024;
const SAMPLE_BYTES = 24 * 1024 * 1024;

let at: TestGateway;
let patient: string;
let system: string;
beforeAll(async () => {
  at = await openTestGateway();
  system = await at.token('system/*.cruds');
  const created = await send('POST', 'Patient', { body: JSON.stringify(PATIENT), type: FHIR });
  patient = JSON.parse(created.text).id;
});
afterAll(() => at.close());

const FHIR = 'application/fhir+json';

interface Sent {
  readonly body?: Readable | string | Buffer;
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly bearer?: string;
}

function ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, sent: Sent = {}) {
  const { body, type, accept, headers, bearer = system } = sent;
  return request(`${at.base}/${path}`, {
    method,
    dispatcher: at.agent,
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(type === undefined ? {} : { 'content-type': type }),
      ...(accept === undefined ? {} : { accept }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

async function send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, sent: Sent = {}) {
  const { statusCode: status, headers, body } = await ask(method, path, sent);
  const bytes = Buffer.from(await body.arrayBuffer());
  return { status, headers, bytes, text: bytes.toString() };
}

async function store(
  body: Readable | string | Buffer,
  type = 'application/pdf',
  headers = {},
): Promise<string> {
  const context = { 'x-security-context': `Patient/${patient}`, ...headers };
  const answer = await send('POST', 'Binary', { body, type, headers: context });
  if (answer.status !== 201) throw new Error(`not stored: ${answer.status} ${answer.text}`);
  return JSON.parse(answer.text).id;
}

function* pieces(size: number): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += PIECE.length)
    yield PIECE.subarray(0, Math.min(PIECE.length, size - sent));
}

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes that this process holds on to, garbage left out. */
function held(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The most that {@link held} says while bytes go by, asked once in so many bytes. */
class MemoryWatch {
  readonly before: number = held();
  peak = this.before;
  #seen = 0;

  see(piece: Uint8Array): void {
    const asked = Math.floor(this.#seen / SAMPLE_BYTES);
    this.#seen += piece.length;
    if (Math.floor(this.#seen / SAMPLE_BYTES) > asked) this.peak = Math.max(this.peak, held());
  }
}

describe('OFF-03: a large document is stored by its custodian', () => {
  it('100 MB stream in and out again in constant memory, and the chain holds less than 1 KB of them', async () => {
    const memory = new MemoryWatch();
    const digest = createHash('sha256');
    const source = function* (): Generator<Buffer> {
      for (const piece of pieces(LARGE_BYTES)) {
        digest.update(piece);
        memory.see(piece);
        yield piece;
      }
    };
    const id = await store(Readable.from(source()), 'application/dicom');
    const read = await ask('GET', `Binary/${id}`, { accept: '*/*' });
    const back = createHash('sha256');
    let size = 0;
    for await (const piece of read.body as AsyncIterable<Buffer>) {
      back.update(piece);
      size += piece.length;
      memory.see(piece);
    }
    expect([read.statusCode, read.headers['content-type'], size]).toEqual([
      200,
      'application/dicom',
      LARGE_BYTES,
    ]);
    const sha256 = digest.digest();
    expect(back.digest()).toEqual(sha256);
    expect(read.headers['repr-digest']).toBe(`sha-256=:${sha256.toString('base64')}:`);
    expect(memory.peak - memory.before).toBeLessThan(MEMORY_BYTES_MAX);
    await at.gateway.context.outbox.settled();
    const { height } = at.ledger.head().header;
    const anchor = at.ledger.block(height)?.transactions.at(-1) ?? new Uint8Array();
    expect(decodeTransaction(anchor).ok).toBe(true);
    expect(anchor.length).toBeLessThan(1024);
  }, 60_000);

  it('a document’s content is a leaf of its own, whose receipt is verified offline', async () => {
    const id = await store('the content of a letter');
    const { vault, outbox } = at.gateway.context;
    await outbox.settled();
    const document = (await vault.current({ type: 'Binary', id }))?.document;
    const receipt = document && (await outbox.receiptOfDocument(document.name));
    if (!receipt) throw new Error('no receipt');
    expect(encodeReceipt(receipt).length).toBeGreaterThan(0);
    const opening = { salt: document.salt, record: documentManifest(document) };
    const expectedChain = at.ledger.chain;
    const verified = verifyReceipt({ receipt, expectedChain, verifySignature, opening });
    expect(verified).toMatchObject({ ok: true, value: { opened: true } });
    const other = { ...opening, record: documentManifest({ ...document, size: document.size + 1 }) };
    expect(verifyReceipt({ receipt, expectedChain, verifySignature, opening: other }).ok).toBe(false);
  });

  it.each([
    ['bytes=0-9', 0, 10],
    ['bytes=1048570-1048580', 1_048_570, 11],
    ['bytes=2097152-', 2_097_152, 2_848],
    ['bytes=-5', 2_099_995, 5],
  ])('a range of it is verified on its own: %s', async (range, first, length) => {
    const size = 2_100_000;
    const content = Buffer.concat([...pieces(size)]);
    const id = await store(content);
    const read = await send('GET', `Binary/${id}`, { accept: 'application/pdf', headers: { range } });
    expect(read.status).toBe(206);
    expect(read.headers['content-range']).toBe(`bytes ${first}-${first + length - 1}/${size}`);
    expect(read.bytes.equals(content.subarray(first, first + length))).toBe(true);
    const beyond = await send('GET', `Binary/${id}`, { accept: '*/*', headers: { range: `bytes=${size}-` } });
    expect([beyond.status, beyond.headers['content-range']]).toEqual([416, `bytes */${size}`]);
  });

  it.each([
    ['its first chunk', 5],
    ['its last chunk', 2 * (DOCUMENT_CHUNK_BYTES + 16) + 5],
  ])('%s altered on the disk ends the stream, and never completes it', async (_name, offset) => {
    const folder = join(at.home, 'gateway', 'vault', 'documents');
    const known = new Set(await readdir(folder));
    const id = await store(Buffer.concat([...pieces(2_100_000)]));
    const name = (await readdir(folder)).find((file) => !known.has(file)) ?? '';
    const bytes = await readFile(join(folder, name));
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    await writeFile(join(folder, name), bytes);
    // Found before the first byte was sent, it is a plain 500; after it, the connection breaks.
    const answer = await send('GET', `Binary/${id}`, { accept: '*/*' }).catch(() => undefined);
    expect(answer?.status ?? 500).toBe(500);
    const { faults } = await at.gateway.verifyVault();
    expect(faults).toEqual([{ record: `Binary/${id} version 1`, fault: 'document' }]);
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    await writeFile(join(folder, name), bytes);
    expect((await at.gateway.verifyVault()).faults).toEqual([]);
  });

  it('a DocumentReference that refers to it gets its size and hash, and wrong ones are refused', async () => {
    const content = 'discharge letter';
    const url = `Binary/${await store(content, 'text/plain')}`;
    const reference = (attachment: object): string =>
      JSON.stringify({
        resourceType: 'DocumentReference',
        status: 'current',
        subject: { reference: `Patient/${patient}` },
        content: [{ attachment: { contentType: 'text/plain', url, ...attachment } }],
      });
    const created = await send('POST', 'DocumentReference', { body: reference({}), type: FHIR });
    const hash = createHash('sha1').update(content).digest('base64');
    expect(JSON.parse(created.text).content[0].attachment).toMatchObject({ url, size: content.length, hash });
    for (const wrong of [{ size: 1 }, { hash: 'AAAA' }]) {
      const refused = await send('POST', 'DocumentReference', { body: reference(wrong), type: FHIR });
      expect(refused.status).toBe(422);
    }
  });
});

describe('a Binary', () => {
  it('is handed out as a resource with its data while it is small, and refused with advice when it is not', async () => {
    const id = await store('small');
    const small = JSON.parse((await send('GET', `Binary/${id}`, { accept: FHIR })).text);
    expect(Buffer.from(small.data, 'base64').toString()).toBe('small');
    const large = await store(Buffer.alloc(INLINE_BYTES_MAX + 1));
    const refused = await send('GET', `Binary/${large}`, { accept: FHIR });
    expect(refused.status).toBe(406);
    expect(refused.text).toContain('Accept: application/pdf');
    const atLimit = await store(Buffer.alloc(INLINE_BYTES_MAX));
    expect((await send('GET', `Binary/${atLimit}`, { accept: FHIR })).status).toBe(200);
  });

  it('that came as a resource is handed out as what it holds', async () => {
    const data = Buffer.from('inline').toString('base64');
    const body = JSON.stringify({ resourceType: 'Binary', contentType: 'text/plain', data });
    const { id } = JSON.parse((await send('POST', 'Binary', { body, type: FHIR })).text);
    const read = await send('GET', `Binary/${id}`, { accept: 'text/plain' });
    expect([read.text, read.headers['content-type']]).toEqual(['inline', 'text/plain']);
    expect((await send('GET', `Binary/${id}`, { accept: 'image/png' })).status).toBe(406);
    expect(JSON.parse((await send('GET', `Binary/${id}`, { accept: FHIR })).text).data).toBe(data);
  });

  it('is replaced by PUT, its old content still there as the old version, and gone when deleted', async () => {
    const id = await store('first');
    const headers = { 'x-security-context': `Patient/${patient}`, 'if-match': 'W/"1"' };
    const replaced = await send('PUT', `Binary/${id}`, { body: 'second', type: 'text/plain', headers });
    expect(replaced.status).toBe(200);
    const conflict = await send('PUT', `Binary/${id}`, { body: 'third', type: 'text/plain', headers });
    expect(conflict.status).toBe(412);
    expect((await send('GET', `Binary/${id}`, { accept: '*/*' })).text).toBe('second');
    expect((await send('GET', `Binary/${id}/_history/1`, { accept: '*/*' })).text).toBe('first');
    expect((await send('DELETE', `Binary/${id}`)).status).toBe(204);
    expect((await send('GET', `Binary/${id}`, { accept: '*/*' })).status).toBe(410);
    await at.gateway.context.outbox.settled();
    expect((await at.gateway.verifyVault()).faults).toEqual([]);
  });

  it('is seen by the patient of its security context, and by no other patient', async () => {
    const own = await at.token('patient/*.rs', { patient });
    const other = await send('POST', 'Patient', { body: JSON.stringify(PATIENT), type: FHIR });
    const stranger = await at.token('patient/*.rs', { patient: JSON.parse(other.text).id });
    const id = await store('mine');
    expect((await send('GET', `Binary/${id}`, { accept: '*/*', bearer: own })).text).toBe('mine');
    expect((await send('GET', `Binary/${id}`, { accept: '*/*', bearer: stranger })).status).toBe(404);
    const nobodys = await send('POST', 'Binary', { body: 'x', type: 'text/plain' });
    const path = `Binary/${JSON.parse(nobodys.text).id}`;
    expect((await send('GET', path, { accept: '*/*', bearer: own })).status).toBe(404);
    expect((await send('POST', 'Binary', { body: 'x', type: 'text/plain', bearer: own })).status).toBe(403);
  });

  it('names a document that the request did not bring: refused, whosever the document is', async () => {
    const id = await store('whose');
    const { text = '' } = (await at.gateway.context.vault.current({ type: 'Binary', id })) ?? {};
    const { id: _id, meta: _meta, ...copied } = JSON.parse(text);
    const forged = await send('POST', 'Binary', { body: JSON.stringify(copied), type: FHIR });
    expect(forged.status).toBe(422);
  });

  it('cannot run in this origin', async () => {
    const id = await store('<script>1</script>', 'text/html');
    const { headers } = await send('GET', `Binary/${id}`, { accept: 'text/html' });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-disposition': 'attachment',
    });
    expect(headers['content-security-policy']).toContain('sandbox');
  });
});

describe('MISC-07, PERF-11: what is too large is refused', () => {
  it('by its announced length before its bytes are read, with the advice to register a pointer', async () => {
    const answered = Promise.withResolvers<void>();
    const body = Readable.from(
      (async function* () {
        yield PIECE;
        await answered.promise;
      })(),
    );
    const headers = { 'content-length': String(DOCUMENT_BYTES_MAX + 1) };
    const refused = await ask('POST', 'Binary', { body, type: 'application/dicom', headers });
    const said = JSON.parse(await refused.body.text()).issue[0];
    answered.resolve();
    expect([refused.statusCode, said.details.coding[0].code]).toEqual([413, 'document/too-large']);
    expect(said.diagnostics).toMatch(/register a pointer: a DocumentReference or ImagingStudy/);
  });

  it('nothing is left of an upload that breaks off', async () => {
    const folder = join(at.home, 'gateway', 'vault', 'documents');
    const before = await readdir(folder);
    const broken = Readable.from(
      (async function* () {
        yield PIECE;
        throw new Error('the line is cut');
      })(),
    );
    await expect(send('POST', 'Binary', { body: broken, type: 'text/plain' })).rejects.toThrow();
    await expect.poll(() => readdir(folder)).toEqual(before);
  });

  it('other routes still take no content but JSON and forms', async () => {
    expect((await send('POST', 'Patient', { body: 'x', type: 'application/pdf' })).status).toBe(415);
  });
});
