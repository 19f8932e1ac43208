import { encodeCbor, organizationId, sha256, utf8 } from '@careledger/primitives';
import { describe, expect, test } from 'vitest';
import { proveTransaction } from './evidence.ts';
import { decodeReceipt, encodeReceipt, RECEIPT_KIND, type Receipt, verifyReceipt } from './receipt.ts';
import { commitmentOf, paddingCountOf, recordBatchOf, retireKeyOf } from './record-leaf.ts';
import { certify, makeTestChain, testTransaction, testValidators, verifyRemembered } from './test-chain.ts';

const organization = organizationId('general-hospital');
const saltOf = (index: number) => sha256(utf8(`salt ${index}`));
const recordOf = (index: number) => utf8(`{"resourceType":"Observation","id":"${index}"}`);
const leaves = [0, 1, 2, 3, 4].map((index) => ({
  commitment: commitmentOf({ salt: saltOf(index), bytes: recordOf(index) }),
  retireKey: retireKeyOf({ organization, retireSecret: saltOf(index + 100) }),
}));
const padding = Array.from({ length: paddingCountOf(leaves.length) }, (_, index) => saltOf(index + 200));
const batch = recordBatchOf({ leaves, padding });

const anchorBody = encodeCbor(
  new Map([
    ['root', batch.root],
    ['retirements', [] as never],
  ]),
);

/** Height 5 holds, in this order: a note, the anchor, and the same anchor again, refused. Validators change at 3. */
const chain = makeTestChain({
  length: 5,
  changeAt: 3,
  transactionsAt: (id, height) =>
    height === 5
      ? [
          testTransaction(id, 'note'),
          testTransaction(id, 'anchor', { type: 'records/anchor', body: anchorBody }),
          testTransaction(id, 'again', { type: 'records/anchor', body: anchorBody }),
          testTransaction(id, 'other type', { type: 'disclosures/anchor', body: anchorBody }),
          testTransaction(id, 'no root', {
            type: 'records/anchor',
            body: encodeCbor(new Map([['root', 1]])),
          }),
        ]
      : [testTransaction(id, `note ${height}`)],
});
const blockAt = (height: number) => chain.blocks[height - 1] as (typeof chain.blocks)[number];
const trust = {
  genesis: chain.genesis,
  changes: [{ header: blockAt(3).header, certificate: blockAt(3).certificate }],
  validatorSets: chain.sets.slice(1),
};

function receiptOf(index: number, position = 1): Receipt {
  const leaf = leaves[index];
  const leafProof = batch.proofs[index];
  if (!leaf || !leafProof) throw new RangeError('no such leaf');
  return { kind: RECEIPT_KIND, leaf, leafProof, anchor: proveTransaction(blockAt(5), position), trust };
}

function verdict(receipt: Receipt, opening?: { salt: Uint8Array; record: Uint8Array }) {
  return verifyReceipt({
    receipt,
    expectedChain: chain.chain,
    verifySignature: verifyRemembered,
    ...(opening && { opening }),
  });
}

function faultOf(receipt: Receipt): string {
  const result = verdict(receipt);
  return result.ok ? 'verified' : result.error.code;
}

const receipt = receiptOf(2);
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, index) => (index === 5 ? byte ^ 1 : byte));

describe('receipts', () => {
  test('LED-22, LED-26: a receipt proves a record offline from the chain id alone, whatever came after it', () => {
    for (const index of leaves.keys()) {
      const decoded = decodeReceipt(encodeReceipt(receiptOf(index)));
      const result = decoded.ok ? verdict(decoded.value) : decoded;
      expect(result).toMatchObject({ ok: true, value: { height: 5, opened: false, leaf: leaves[index] } });
    }
  });

  test('LED-16: with salt and record the commitment opens, with any other it does not', () => {
    const opening = { salt: saltOf(2), record: recordOf(2) };
    expect(verdict(receipt, opening)).toMatchObject({ ok: true, value: { opened: true } });
    for (const wrong of [
      { ...opening, record: recordOf(3) },
      { ...opening, salt: saltOf(3) },
      { ...opening, salt: saltOf(2).slice(1) },
    ]) {
      expect(verdict(receipt, wrong)).toMatchObject({ ok: false, error: { code: 'commitment' } });
    }
  });

  test('every part that is wrong is named', () => {
    const { anchor } = receipt;
    const { header, certificate } = anchor;
    const withAnchor = (change: Partial<typeof anchor>): Receipt => ({
      ...receipt,
      anchor: { ...anchor, ...change },
    });
    const [signature, ...signatures] = certificate.signatures as [(typeof certificate.signatures)[number]];
    const [pathFirst, ...path] = anchor.transactionProof.path as [Uint8Array];
    const strangers = testValidators(8);
    const named: readonly (readonly [string, Receipt])[] = [
      ['verified', receipt],
      ['genesis', { ...receipt, trust: { ...trust, genesis: flip(trust.genesis) } }],
      ['validator set', { ...receipt, trust: { ...trust, changes: [] } }],
      ['validator set', { ...receipt, trust: { ...trust, validatorSets: [] } }],
      [
        'validator set',
        { ...receipt, trust: { ...trust, validatorSets: [...trust.validatorSets, strangers] } },
      ],
      [
        'header',
        {
          ...receipt,
          trust: { ...trust, changes: [blockAt(2), { ...blockAt(3), certificate: blockAt(2).certificate }] },
        },
      ],
      ['header', withAnchor({ header: { ...header, stateRoot: flip(header.stateRoot) } })],
      ['header', withAnchor({ header: { ...header, time: header.time - 1 } })],
      ['header', withAnchor({ certificate: blockAt(4).certificate })],
      ['certificate', withAnchor({ certificate: { ...certificate, view: 1 } })],
      ['certificate', withAnchor({ certificate: { ...certificate, signatures } })],
      [
        'certificate',
        withAnchor({
          certificate: {
            ...certificate,
            signatures: [{ ...signature, signature: flip(signature.signature) }, ...signatures],
          },
        }),
      ],
      [
        'validator set',
        withAnchor({
          header: { ...header, validatorsHash: header.stateRoot },
          certificate: certify(header, strangers),
        }),
      ],
      ['transaction', withAnchor({ transaction: anchor.transaction.slice(1) })],
      ['transaction proof', withAnchor({ transaction: blockAt(5).transactions[0] as Uint8Array })],
      [
        'transaction proof',
        withAnchor({ transactionProof: { ...anchor.transactionProof, path: [flip(pathFirst), ...path] } }),
      ],
      ['result proof', withAnchor({ result: { ...anchor.result, gas: 1 } })],
      ['result proof', withAnchor({ result: { ...anchor.result, code: 1 } })],
      [
        'position',
        withAnchor({
          result: proveTransaction(blockAt(5), 0).result,
          resultProof: proveTransaction(blockAt(5), 0).resultProof,
        }),
      ],
      ['anchor', { ...receipt, anchor: proveTransaction(blockAt(5), 0) }],
      ['anchor', receiptOf(2, 3)],
      ['anchor', receiptOf(2, 4)],
      ['anchor refused', receiptOf(2, 2)],
      ['leaf proof', { ...receipt, leaf: { ...receipt.leaf, retireKey: flip(receipt.leaf.retireKey) } }],
      ['leaf proof', { ...receipt, leafProof: { ...receipt.leafProof, index: 3 } }],
      ['leaf proof', { ...receipt, leaf: { ...receipt.leaf, supersedes: receipt.leaf.retireKey } }],
      ['batch size', { ...receipt, leafProof: { ...receipt.leafProof, size: 7 } }],
      ['batch size', { ...receipt, leafProof: { ...receipt.leafProof, size: 16 } }],
    ];
    expect(named.map(([, changed]) => faultOf(changed))).toEqual(named.map(([fault]) => fault));
  });

  test('a receipt of another chain is refused, whatever genesis it carries', () => {
    const result = verifyReceipt({
      receipt,
      expectedChain: sha256(chain.chain),
      verifySignature: verifyRemembered,
    });
    expect(result).toMatchObject({ ok: false, error: { code: 'genesis' } });
  });

  test('LED-01: any flipped byte of a receipt file is found and the part named', () => {
    const encoded = encodeReceipt(receipt);
    const names = new Map<string, number>();
    for (let index = 0; index < encoded.length; index += 1) {
      const changed = encoded.slice();
      changed[index] = (changed[index] ?? 0) ^ (1 << (index % 8));
      const decoded = decodeReceipt(changed);
      const result = decoded.ok ? verdict(decoded.value) : decoded;
      expect(result.ok, `byte ${index}`).toBe(false);
      if (!result.ok) names.set(result.error.code, (names.get(result.error.code) ?? 0) + 1);
    }
    for (const name of [
      'malformed',
      'genesis',
      'header',
      'certificate',
      'validator set',
      'transaction proof',
      'leaf proof',
    ]) {
      expect(names.get(name) ?? 0, name).toBeGreaterThan(0);
    }
  });
});
