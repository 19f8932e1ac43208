import { describe, expect, test } from 'vitest';
import {
  AUDIT_BUNDLE_KIND,
  type AuditBundle,
  type AuditEntry,
  decodeAuditBundle,
  encodeAuditBundle,
  verifyAuditBundle,
} from './audit-bundle.ts';
import { type ChainTip, nextTip } from './block-link.ts';
import { proveTransaction } from './evidence.ts';
import { certify, makeTestChain, testValidators, verifyRemembered } from './test-chain.ts';

const chain = makeTestChain({ length: 8, changeAt: 3 });
const blockAt = (height: number) => chain.blocks[height - 1] as (typeof chain.blocks)[number];
const tips: ChainTip[] = [chain.start];
for (const { header } of chain.blocks) tips.push(nextTip((tips.at(-1) as ChainTip).history, header));

function entryOf(height: number): AuditEntry {
  const { header, certificate, transactions, results } = blockAt(height);
  return { certified: { header, certificate }, body: { transactions, results }, selected: [] };
}

function bundleOf(from: number, to: number): AuditBundle {
  const tip = tips[from - 1] as ChainTip;
  return {
    kind: AUDIT_BUNDLE_KIND,
    trust: {
      genesis: chain.genesis,
      changes: from > 3 ? [{ header: blockAt(3).header, certificate: blockAt(3).certificate }] : [],
      validatorSets: to >= 3 ? chain.sets.slice(1) : [],
    },
    previous: tip.header,
    history: tip.history,
    entries: Array.from({ length: to - from + 1 }, (_, index) => entryOf(from + index)),
  };
}

function verdict(bundle: AuditBundle) {
  return verifyAuditBundle({ bundle, expectedChain: chain.chain, verifySignature: verifyRemembered });
}

function faultOf(bundle: AuditBundle): string {
  const result = verdict(bundle);
  return result.ok ? 'verified' : `${result.error.code} at ${result.error.height}`;
}

const whole = bundleOf(1, 8);
const withEntries = (change: (entries: readonly AuditEntry[]) => readonly AuditEntry[]): AuditBundle => ({
  ...whole,
  entries: change(whole.entries),
});
const replaceAt = (height: number, change: (entry: AuditEntry) => AuditEntry) =>
  withEntries((entries) => entries.with(height - 1, change(entries[height - 1] as AuditEntry)));
const pair = (entries: readonly AuditEntry[], height: number) =>
  [entries[height - 1] as AuditEntry, entries[height] as AuditEntry] as const;

describe('audit bundles', () => {
  test('a bundle proves consecutive blocks offline from the chain id alone', () => {
    const decoded = decodeAuditBundle(encodeAuditBundle(whole));
    const result = decoded.ok ? verdict(decoded.value) : decoded;
    expect(result).toMatchObject({
      ok: true,
      value: {
        fromHeight: 1,
        toHeight: 8,
        transactionCount: 24,
        refusedCount: 8,
        network: 'test-consortium',
      },
    });
  });

  test('a bundle may begin anywhere: the history below is bound by the first certified header', () => {
    for (const from of [2, 3, 4, 5, 8]) expect(faultOf(bundleOf(from, 8)), `from ${from}`).toBe('verified');
    const later = bundleOf(5, 8);
    const { history } = tips[3] as ChainTip;
    expect(faultOf({ ...later, history })).toBe('bundle/start at 4');
    const forged = (tips[3] as ChainTip).history.append(new Uint8Array(32));
    expect(faultOf({ ...later, history: forged })).toBe('block/history-root at 5');
    expect(faultOf({ ...later, previous: { ...later.previous, nonce: 99 } })).toBe(
      'block/previous-hash at 5',
    );
  });

  test('LED-20: a deleted, swapped, dropped, reordered or rewritten part is found with its height and a code of its own', () => {
    const found = {
      deleted: faultOf(withEntries((entries) => entries.toSpliced(4, 1))),
      swapped: faultOf(withEntries((entries) => entries.toSpliced(4, 2, ...pair(entries, 5).toReversed()))),
      doubled: faultOf(withEntries((entries) => entries.toSpliced(4, 0, entries[3] as AuditEntry))),
      dropped: faultOf(
        replaceAt(5, (entry) => ({
          ...entry,
          body: { transactions: entry.body?.transactions.slice(1) ?? [], results: entry.body?.results ?? [] },
        })),
      ),
      reordered: faultOf(
        replaceAt(5, (entry) => ({
          ...entry,
          body: {
            transactions: entry.body?.transactions.toReversed() ?? [],
            results: entry.body?.results ?? [],
          },
        })),
      ),
      results: faultOf(
        replaceAt(5, (entry) => ({
          ...entry,
          body: {
            transactions: entry.body?.transactions ?? [],
            results: entry.body?.results.toReversed() ?? [],
          },
        })),
      ),
      uncertified: faultOf(
        replaceAt(5, (entry) => ({
          ...entry,
          certified: { ...entry.certified, certificate: certify(entry.certified.header, []) },
        })),
      ),
    };
    expect(found).toEqual({
      deleted: 'block/gap at 5',
      swapped: 'block/order at 5',
      doubled: 'block/order at 5',
      dropped: 'block/transaction-count at 5',
      reordered: 'block/transactions-root at 5',
      results: 'block/results-root at 5',
      uncertified: 'block/certificate at 5',
    });
  });

  test('LED-06: a backward time is found, even when a quorum sealed it', () => {
    const header = { ...blockAt(8).header, time: blockAt(7).header.time - 1 };
    const bundle = replaceAt(8, (entry) => ({
      ...entry,
      certified: { header, certificate: certify(header, chain.sets[1] ?? []) },
    }));
    expect(faultOf(bundle)).toBe('block/time at 8');
  });

  test('a bundle with headers and chosen transactions proves those', () => {
    const bundle = replaceAt(5, (entry) => {
      const { header, certificate, ...chosen } = proveTransaction(blockAt(5), 1);
      return { ...entry, body: undefined, selected: [chosen] };
    });
    expect(verdict(bundle)).toMatchObject({ ok: true, value: { transactionCount: 22 } });
    const foreign = replaceAt(5, (entry) => {
      const { header, certificate, ...chosen } = proveTransaction(blockAt(6), 1);
      return { ...entry, body: undefined, selected: [chosen] };
    });
    expect(faultOf(foreign)).toBe('bundle/transaction at 5');
  });

  test('what cannot be trusted is said to be so', () => {
    const { trust } = whole;
    expect(faultOf({ ...whole, entries: [] })).toBe('bundle/empty at undefined');
    expect(faultOf({ ...whole, trust: { ...trust, genesis: trust.genesis.slice(1) } })).toBe(
      'bundle/genesis at undefined',
    );
    expect(faultOf({ ...whole, trust: { ...trust, validatorSets: [] } })).toBe('block/validators at 4');
    const stranger = { ...trust, validatorSets: [...trust.validatorSets, testValidators(8)] };
    expect(faultOf({ ...whole, trust: stranger })).toBe('bundle/trust at undefined');
    expect(faultOf({ ...bundleOf(5, 8), trust: { ...trust, changes: [] } })).toBe('block/validators at 5');
    expect(faultOf({ ...whole, previous: { ...whole.previous, time: 5 } })).toBe('bundle/start at 0');
    const foreign = verifyAuditBundle({
      bundle: whole,
      expectedChain: new Uint8Array(32),
      verifySignature: verifyRemembered,
    });
    expect(foreign).toMatchObject({ ok: false, error: { code: 'bundle/genesis' } });
  });

  test('LED-01: a flipped byte of a bundle file is found, over every second byte', () => {
    const encoded = encodeAuditBundle(bundleOf(3, 4));
    for (let index = 0; index < encoded.length; index += 2) {
      const changed = encoded.slice();
      changed[index] = (changed[index] ?? 0) ^ (1 << ((index >> 1) % 8));
      const decoded = decodeAuditBundle(changed);
      const isBelieved = decoded.ok && verdict(decoded.value).ok;
      expect(isBelieved, `byte ${index}`).toBe(false);
    }
  });
});
