import {
  AUDIT_BUNDLE_KIND,
  certifiedHeaderCodec,
  decodeTransaction,
  signTransaction,
} from '@careledger/ledger';
import {
  encodeCbor,
  equalBytes,
  organizationId,
  type TransactionId,
  toHex,
  utf8,
  type VerifySignature,
  verifySignature,
} from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ClientError,
  createLedgerClient,
  exportAuditBundle,
  exportStateProof,
  getConsent,
  getHead,
  getOrganization,
  getState,
  getTransaction,
  type LedgerClient,
  type NodeAnswer,
  NodeRefusedError,
  type NodeRequest,
  NotShownError,
  ProofMismatchError,
  StaleAnswerError,
  submitTransaction,
  TransactionRefusedError,
  TransportError,
  verifyFile,
} from './index.ts';
import {
  CONSENT_ID,
  certify,
  createTestNode,
  START_TIME,
  TIP_HEIGHT,
  testSigner,
  UNKNOWN_CONSENT_ID,
} from './testing.ts';

const node = createTestNode();

const remembered = new Map<string, boolean>();
/** Remembers verdicts: hundreds of mutations share most of their signatures. */
const verify: VerifySignature = (claim) => {
  const name = toHex(encodeCbor([claim.publicKey, claim.message, claim.signature]));
  const known = remembered.get(name) ?? verifySignature(claim);
  remembered.set(name, known);
  return known;
};

type Lie = (answer: NodeAnswer, request: NodeRequest) => NodeAnswer;

/** A client of a node that answers honestly, then lets `lie` have its way. */
function clientOf(lie: Lie = (answer) => answer): Promise<LedgerClient> {
  return createLedgerClient({
    chain: node.chain,
    transport: async (request) => lie(node.answer(request), request),
    verifySignature: verify,
  });
}

function transactionIdOf(height: number, index: number): TransactionId {
  const decoded = decodeTransaction(node.blocks[height - 1]?.transactions[index] ?? new Uint8Array(0));
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value.id;
}

describe('CRY-01: the SDK trusts no node, only the chain id and the validators that it leads to', () => {
  it('reads a proven head across a change of the validator set', async () => {
    const client = await clientOf();
    const head = await getHead(client);
    expect([head.header.height, head.time]).toEqual([TIP_HEIGHT, START_TIME + 5_500]);
    expect(client.known()?.headerHash).toEqual(head.headerHash);
  });

  it('reads a consent, and proves that another was never recorded', async () => {
    const client = await clientOf();
    expect(await getConsent(client, { consentId: CONSENT_ID })).toMatchObject({
      custodian: 'general-hospital',
      revokedAt: START_TIME + 4_000,
    });
    expect(await getConsent(client, { consentId: CONSENT_ID, height: 3 })).not.toHaveProperty('revokedAt');
    expect(await getConsent(client, { consentId: UNKNOWN_CONSENT_ID })).toBeUndefined();
    expect(await getOrganization(client, { organization: organizationId('nobody') })).toBeUndefined();
  });

  it('reads a transaction with its result, and tells a refused one from an accepted one', async () => {
    const client = await clientOf();
    expect(await getTransaction(client, { id: transactionIdOf(4, 0) })).toMatchObject({
      accepted: true,
      index: 0,
    });
    expect(await getTransaction(client, { id: transactionIdOf(4, 2) })).toMatchObject({
      accepted: false,
      result: { code: 4_001 },
    });
  });

  it('does not take a genesis document of another chain', async () => {
    const forged = node.genesis.with(node.genesis.length - 5, 1);
    const opening = clientOf((answer, { path }) =>
      path.endsWith('/genesis') ? { ...answer, body: forged } : answer,
    );
    await expect(opening).rejects.toMatchObject({ part: 'genesis' });
  });

  it('does not take a header that strangers signed', async () => {
    const block = node.blocks.at(-1);
    if (!block) throw new Error('there is a tip');
    const header = { ...block.header, stateRoot: new Uint8Array(32).fill(1) };
    // The first set signed once, but it no longer signs at this height.
    const body = certifiedHeaderCodec.encode({ header, certificate: certify(header, node.sets[0] ?? []) });
    const client = await clientOf((answer, { path }) =>
      path.endsWith('/head') ? { status: 200, body } : answer,
    );
    await expect(getHead(client)).rejects.toBeInstanceOf(ProofMismatchError);
  });

  it('does not take an older state once it has seen a newer one', async () => {
    let asOf = TIP_HEIGHT;
    const client = await createLedgerClient({
      chain: node.chain,
      transport: async (request) => node.answer(request, asOf),
      verifySignature: verify,
    });
    await getHead(client);
    asOf = 3; // Before the revocation: the old consent is still proven, but no longer the newest.
    await expect(getConsent(client, { consentId: CONSENT_ID })).rejects.toBeInstanceOf(StaleAnswerError);
    await expect(getHead(client)).rejects.toBeInstanceOf(StaleAnswerError);
  });

  it('does not take a head older than the caller calls fresh', async () => {
    const client = await clientOf();
    await expect(getHead(client, { notBefore: START_TIME + 60_000 })).rejects.toBeInstanceOf(
      StaleAnswerError,
    );
  });

  it('does not take evidence about another key, another height or another transaction', async () => {
    const about =
      (path: string): Lie =>
      (_answer, request) =>
        node.answer({ ...request, path });
    const statePath = `/v1/chains/${toHex(node.chain)}/state/${toHex(utf8('test/1'))}`;
    const other = await clientOf((answer, request) =>
      request.path.includes('/state/') ? about(statePath)(answer, request) : answer,
    );
    await expect(getState(other, { key: utf8('test/2') })).rejects.toMatchObject({ part: 'state proof' });
    await expect(getState(other, { key: utf8('test/1'), height: 3 })).rejects.toMatchObject({
      part: 'height',
    });
    const swapped = `/v1/chains/${toHex(node.chain)}/transactions/${toHex(transactionIdOf(4, 1))}`;
    const client = await clientOf((answer, request) =>
      request.path.includes('/transactions/') ? about(swapped)(answer, request) : answer,
    );
    await expect(getTransaction(client, { id: transactionIdOf(4, 0) })).rejects.toMatchObject({
      part: 'transaction',
    });
  });

  it('does not take "nothing there" for a proof', async () => {
    const client = await clientOf((answer, { path }) =>
      path.includes('/state/') ? { status: 404, body: utf8('{}') } : answer,
    );
    await expect(getConsent(client, { consentId: CONSENT_ID })).rejects.toBeInstanceOf(NotShownError);
  });
});

describe('CRY-01: an answer with any part changed is never believed', () => {
  const reads: readonly (readonly [string, (client: LedgerClient) => Promise<unknown>])[] = [
    ['head', (client) => getHead(client)],
    ['state', (client) => getConsent(client, { consentId: CONSENT_ID })],
    ['state', (client) => getConsent(client, { consentId: UNKNOWN_CONSENT_ID })],
    ['transactions', (client) => getTransaction(client, { id: transactionIdOf(4, 1) })],
    ['audit-bundle', (client) => exportAuditBundle(client, { fromHeight: 2, toHeight: 4 })],
  ];

  const mutation = fc.record({
    read: fc.nat({ max: reads.length - 1 }),
    kind: fc.constantFrom('flip', 'cut', 'grow', 'overwrite', 'duplicate'),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    byte: fc.integer({ min: 1, max: 255 }),
  });

  it('over 600 mutations of every kind of answer', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(mutation, async ({ read, kind, at, byte }) => {
        const [what, action] = reads[read] ?? ['', async () => undefined];
        const client = await clientOf((answer, request) => {
          if (!request.path.includes(`/${what}`)) return answer;
          const body = mutate(answer.body, { kind, at: Math.floor(at * answer.body.length), byte });
          return { ...answer, body };
        });
        await expect(action(client)).rejects.toBeInstanceOf(ClientError);
        refused += 1;
      }),
      { numRuns: 600 },
    );
    expect(refused).toBeGreaterThanOrEqual(600);
  });

  it('in the trust path, over 100 mutations', async () => {
    await fc.assert(
      fc.asyncProperty(mutation, async ({ kind, at, byte }) => {
        const client = await clientOf((answer, request) => {
          if (!request.path.endsWith('/trust-path')) return answer;
          const body = mutate(answer.body, { kind, at: Math.floor(at * answer.body.length), byte });
          return { ...answer, body };
        });
        // A change in a part that proves nothing may pass; then the head is still the true one.
        const head = await getHead(client).catch((error: unknown) => {
          expect(error).toBeInstanceOf(ClientError);
        });
        if (head) expect(head.header).toEqual(node.blocks.at(-1)?.header);
      }),
      { numRuns: 100 },
    );
  });
});

function mutate(
  body: Uint8Array,
  change: { readonly kind: string; readonly at: number; readonly byte: number },
): Uint8Array {
  const { kind, at, byte } = change;
  const original = body[at] ?? 0;
  switch (kind) {
    case 'flip':
      return body.with(at, original ^ (1 << (byte & 7)));
    case 'cut':
      return body.slice(0, at);
    case 'grow':
      return Uint8Array.from([...body.slice(0, at), byte, ...body.slice(at)]);
    case 'overwrite':
      return body.with(at, original === byte ? byte ^ 1 : byte);
    default:
      return Uint8Array.from([...body, ...body]);
  }
}

describe('submitting', () => {
  const submission = {
    type: 'consent/grant',
    body: utf8('body 4/0'),
    signer: testSigner(0),
    expiresAt: START_TIME + 600_000,
  };

  it('is believed when it is proven, not when the node says so', async () => {
    const client = await clientOf();
    const unordered = submitTransaction(client, { ...submission, nonce: new Uint8Array(16) });
    await expect(unordered).rejects.toBeInstanceOf(NotShownError);
  });

  it('resolves with the proof, and rejects with the permanent code of a refusal', async () => {
    const client = await clientOf();
    const decoded = [0, 2].map((index) =>
      decodeTransaction(node.blocks[3]?.transactions[index] ?? new Uint8Array(0)),
    );
    const [accepted, refused] = decoded.map((entry) => (entry.ok ? entry.value.payload : undefined));
    if (!accepted || !refused) throw new Error('both are transactions');
    const { signer } = submission;
    const proven = await submitTransaction(client, { ...accepted, signer });
    expect(equalBytes(proven.transaction.id, signTransaction({ payload: accepted, signer }).id)).toBe(true);
    expect(proven.header.height).toBe(4);
    await expect(submitTransaction(client, { ...refused, signer })).rejects.toEqual(
      expect.objectContaining({ code: 'client/transaction-refused', resultCode: 4_001 }),
    );
    await expect(submitTransaction(client, { ...refused, signer })).rejects.toBeInstanceOf(
      TransactionRefusedError,
    );
  });

  it("passes the node's refusal on, without control characters", async () => {
    const body = utf8(
      JSON.stringify({ code: 'transaction/expired', message: 'Too late\u001b[31m.', help: 'Again.' }),
    );
    const client = await clientOf((answer, { method }) =>
      method === 'POST' ? { status: 422, body } : answer,
    );
    const submitted = submitTransaction(client, { ...submission, nonce: new Uint8Array(16) });
    await expect(submitted).rejects.toBeInstanceOf(NodeRefusedError);
    await expect(submitted).rejects.toMatchObject({
      code: 'transaction/expired',
      message: 'Too late[31m.',
      help: 'Again.',
      status: 422,
    });
  });

  it('says so when the node is not reached', async () => {
    const opening = createLedgerClient({
      chain: node.chain,
      transport: () => Promise.reject(new Error('ECONNREFUSED')),
      verifySignature: verify,
    });
    await expect(opening).rejects.toBeInstanceOf(TransportError);
  });
});

describe('NET-10: an outside verifier needs a file and the chain id', () => {
  it('exports a bundle that verifies offline', async () => {
    const client = await clientOf();
    const { bytes, report } = await exportAuditBundle(client, { fromHeight: 1 });
    expect(report).toMatchObject({
      fromHeight: 1,
      toHeight: TIP_HEIGHT,
      transactionCount: 15,
      refusedCount: 5,
    });
    const offline = verifyFile(bytes, { expectedChain: node.chain, verifySignature: verify });
    expect(offline).toMatchObject({ ok: true, value: { kind: 'audit-bundle' } });
  });

  it('refuses the same file under another chain id, naming the genesis', async () => {
    const { bytes } = await exportAuditBundle(await clientOf(), { fromHeight: 1 });
    const expectedChain = node.chain.map((byte) => byte ^ 1);
    expect(verifyFile(bytes, { expectedChain, verifySignature: verify })).toMatchObject({
      ok: false,
      error: { code: 'bundle/genesis' },
    });
  });

  it('exports proofs of a value and of an absence that verify offline, and no altered one', async () => {
    const trust = { expectedChain: node.chain, verifySignature: verify };
    for (const key of [utf8('test/1'), utf8('test/never')]) {
      const { bytes, state } = await exportStateProof(await clientOf(), { key });
      expect(verifyFile(bytes, trust)).toMatchObject({ ok: true, value: { kind: 'state-proof', state } });
      for (let at = 0; at < bytes.length; at += 97) {
        const altered = bytes.with(at, (bytes[at] ?? 0) ^ 1);
        const verified = verifyFile(altered, trust);
        // The key is what the file speaks of: another key would be another, unproven statement.
        expect(verified).toMatchObject({ ok: false });
      }
    }
  });

  it('refuses a bundle of other heights than were asked for', async () => {
    const client = await clientOf((answer, request) =>
      request.path.includes('/audit-bundle')
        ? node.answer({ ...request, path: request.path.replace('from=2', 'from=3') })
        : answer,
    );
    await expect(exportAuditBundle(client, { fromHeight: 2 })).rejects.toMatchObject({ part: 'range' });
  });

  it('names a file of no known kind', () => {
    const trust = { expectedChain: node.chain, verifySignature: verify };
    expect(verifyFile(utf8('hello'), trust)).toMatchObject({
      ok: false,
      error: { code: 'file/unknown-kind' },
    });
    const later = encodeCbor(new Map([['kind', AUDIT_BUNDLE_KIND.replace('/1', '/2')]]));
    expect(verifyFile(later, trust)).toMatchObject({
      ok: false,
      error: { code: 'file/unknown-kind', message: expect.stringContaining('audit-bundle/2') },
    });
  });
});
