import { encodeCbor, type OrganizationId, sha256, toHex, utf8 } from '@careledger/primitives';
import { expect, test } from 'vitest';
import golden from '../../../vectors/ledger-formats.json' with { type: 'json' };
import type { Block } from './block.ts';
import { encodeBlock, encodeHeader, headerHash, validatorsHash } from './block-codecs.ts';
import { commitBytes } from './certificate.ts';
import { commitmentOf, leafBytes, recordLeafHash, retireKeyOf } from './record-leaf.ts';
import { makeTestChain, testTransaction } from './test-chain.ts';
import { decodeTransaction } from './transaction.ts';

/** Bytes that members hold on disk and on paper. A difference is a new version of a format, never a fix of this file. */
function formats(): Record<string, string> {
  const { genesis, chain, start, blocks, sets } = makeTestChain({ length: 2 });
  const [block] = blocks as [Block];
  const transaction = testTransaction(chain, 'golden', {
    type: 'records/anchor',
    body: encodeCbor(utf8('body')),
  });
  const decoded = decodeTransaction(transaction);
  const salt = sha256(utf8('salt'));
  const leaf = {
    commitment: commitmentOf({ salt, bytes: utf8('{"resourceType":"Patient"}') }),
    retireKey: retireKeyOf({ organization: 'general-hospital' as OrganizationId, retireSecret: salt }),
    supersedes: salt,
  };
  const bytes = {
    genesis,
    chainId: chain,
    genesisHeader: encodeHeader(start.header),
    genesisHeaderHash: start.headerHash,
    validatorsHash: validatorsHash(sets[0] ?? []),
    header: encodeHeader(block.header),
    headerHash: headerHash(block.header),
    commitBytes: commitBytes({ ...block.certificate, chain }),
    block: sha256(encodeBlock(block)),
    transaction,
    transactionId: decoded.ok ? decoded.value.id : new Uint8Array(0),
    transactionSignedBytes: decoded.ok ? decoded.value.signedBytes : new Uint8Array(0),
    commitment: leaf.commitment,
    retireKey: leaf.retireKey,
    recordLeaf: leafBytes(leaf),
    recordLeafHash: recordLeafHash(leaf),
  };
  return Object.fromEntries(Object.entries(bytes).map(([name, value]) => [name, toHex(value)]));
}

test('the formats are those of the golden vectors', () => {
  expect(formats()).toEqual(golden);
});
