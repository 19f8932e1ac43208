import { stateEvidenceCodec } from '@careledger/ledger';
import { toHex, type VerifySignature, verifySignature } from '@careledger/primitives';
import { describe, expect, it } from 'vitest';
import { createLedgerClient } from '../ledger-client.ts';
import { createTestNode, type TestRecord, TIP_HEIGHT } from '../testing.ts';
import type { NodeAnswer, NodeRequest } from '../transport.ts';
import { exportRecordProof, recordProofFileCodec, verifyRecordProofFile } from './record-proof.ts';
import { verifyFile } from './verify-file.ts';

const node = createTestNode();
const [standing, retired] = node.records as readonly [TestRecord, TestRecord];
const trust = { expectedChain: node.chain, verifySignature };

async function proofOf(record: TestRecord): Promise<Uint8Array> {
  const transport = async (request: NodeRequest): Promise<NodeAnswer> => node.answer(request);
  const client = await createLedgerClient({ chain: node.chain, transport, verifySignature });
  const { bytes } = await exportRecordProof(client, { ...record, record: record.bytes });
  return bytes;
}

function codeOf(file: Uint8Array, record?: Uint8Array, verify: VerifySignature = verifySignature): string {
  const verified = verifyRecordProofFile(file, {
    expectedChain: node.chain,
    verifySignature: verify,
    ...(record ? { record } : {}),
  });
  return verified.ok ? 'verified' : verified.error.code;
}

describe('PRIV-22: a patient shares a record with its proof, and a third party judges it offline', () => {
  it('shows the issuer, the time, that it is unaltered, and that it stands', async () => {
    const file = await proofOf(standing);
    const verified = verifyRecordProofFile(file, { ...trust, record: standing.bytes });
    expect(verified).toMatchObject({
      ok: true,
      value: {
        issuer: 'general-hospital',
        receipt: { height: 3, opened: true },
        replacedBy: undefined,
        asOf: { height: TIP_HEIGHT },
      },
    });
    expect(verifyFile(file, trust)).toMatchObject({ ok: true, value: { kind: 'record-proof' } });
  });

  it('shows that a retired record no longer stands', async () => {
    const verified = verifyRecordProofFile(await proofOf(retired), { ...trust, record: retired.bytes });
    expect(verified).toMatchObject({ ok: true, value: { issuer: 'general-hospital' } });
    expect(verified.ok && verified.value.replacedBy).toHaveLength(32);
  });

  it('LED-16: another record, or one byte of it, does not match', async () => {
    const file = await proofOf(standing);
    expect(codeOf(file, retired.bytes)).toBe('record-proof/commitment');
    for (const index of standing.bytes.keys()) {
      const altered = standing.bytes.map((byte, at) => (at === index ? byte ^ 1 : byte));
      expect(codeOf(file, altered)).toBe('record-proof/commitment');
    }
  });

  it('parts of different records, or of an older state, prove nothing', async () => {
    const good = recordProofFileCodec.decode(await proofOf(standing));
    const other = recordProofFileCodec.decode(await proofOf(retired));
    const path = `/v1/chains/x/state/${toHex(good.retirement.key)}?height=2`;
    const { body } = node.answer({ method: 'GET', path, accept: '', bytesMax: 1 });
    const early = { ...good, retirement: stateEvidenceCodec.decode(body) };
    expect(codeOf(recordProofFileCodec.encode(early))).toBe('record-proof/height');
    expect(codeOf(recordProofFileCodec.encode({ ...good, retirement: other.retirement }))).toMatch(
      /^record-proof\//,
    );
    expect(codeOf(recordProofFileCodec.encode({ ...good, issuer: good.retirement }))).toMatch(
      /^record-proof\//,
    );
    expect(codeOf(recordProofFileCodec.encode({ ...good, salt: other.salt }), standing.bytes)).toBe(
      'record-proof/commitment',
    );
  });

  it('CRY-01: no byte of the proof can be changed without notice', async () => {
    const file = await proofOf(standing);
    // The signatures of unchanged parts are the same each time: remembered, or this takes minutes.
    const remembered = new Map<string, boolean>();
    const verify: VerifySignature = (claim) => {
      const name = [claim.publicKey, claim.message, claim.signature].map((each) =>
        Buffer.from(each).toString('hex'),
      );
      const known = remembered.get(name.join()) ?? verifySignature(claim);
      remembered.set(name.join(), known);
      return known;
    };
    expect(codeOf(file, standing.bytes, verify)).toBe('verified');
    for (let index = 0; index < file.length; index += 13) {
      const changed = file.map((byte, at) => (at === index ? byte ^ 0x41 : byte));
      expect([index, codeOf(changed, standing.bytes, verify)]).not.toEqual([index, 'verified']);
    }
  });
});
