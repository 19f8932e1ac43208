import { concat, InvariantError, sha256, toHex, utf8 } from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StateProof } from '../proofs.ts';
import { bitAt, EMPTY_STATE_ROOT } from './nodes.ts';
import { proveState, verifyStateProof } from './proof.ts';
import { type StateChange, updateStateTree } from './update.ts';

/** A tree with its store, as a node keeps it. */
class Store {
  root: Uint8Array = EMPTY_STATE_ROOT;
  readonly nodes = new Map<string, Uint8Array>();
  readonly node = (hash: Uint8Array) => this.nodes.get(toHex(hash));

  apply(changes: readonly StateChange[]): number {
    const updated = updateStateTree({ root: this.root, node: this.node, changes });
    for (const node of updated.nodes) this.nodes.set(toHex(node.hash), node.bytes);
    this.root = updated.root;
    return updated.nodes.length;
  }
}

const hash = (...parts: readonly Uint8Array[]) => sha256(concat(...parts));

/** The definition: nothing is 32 zero bytes, one leaf stands alone, more are split at the next bit. */
function naiveRoot(model: ReadonlyMap<string, string>): Uint8Array {
  const leaves = [...model].map(([key, value]) => ({ key: sha256(utf8(key)), value: sha256(utf8(value)) }));
  const root = (part: typeof leaves, depth: number): Uint8Array => {
    const [first] = part;
    if (!first) return EMPTY_STATE_ROOT;
    if (part.length === 1) return hash(Uint8Array.of(0), first.key, first.value);
    const left = part.filter((leaf) => !bitAt(leaf.key, depth));
    const right = part.filter((leaf) => bitAt(leaf.key, depth));
    return hash(Uint8Array.of(1), root(left, depth + 1), root(right, depth + 1));
  };
  return root(leaves, 0);
}

const name = fc.integer({ min: 0, max: 40 }).map((number) => `key/${number}`);
const batch = fc.uniqueArray(fc.tuple(name, fc.option(fc.integer({ min: 0, max: 3 }).map(String))), {
  selector: ([key]) => key,
  maxLength: 20,
});

const toChange = ([key, value]: [string, string | null]): StateChange => ({
  key: utf8(key),
  value: value === null ? undefined : utf8(value),
});

function filled(count: number): Store {
  const store = new Store();
  store.apply(Array.from({ length: count }, (_, index) => toChange([`key/${index}`, `value ${index}`])));
  return store;
}

describe('the state tree', () => {
  test('any history of changes has the root of the naive model, and every key and absence is proven', () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 8 }), (batches) => {
        const store = new Store();
        const model = new Map<string, string>();
        for (const changes of batches) {
          store.apply(changes.map(toChange));
          for (const [key, value] of changes) {
            if (value === null) model.delete(key);
            else model.set(key, value);
          }
          expect(toHex(store.root)).toBe(toHex(naiveRoot(model)));
        }
        const { root, node } = store;
        for (let number = 0; number <= 40; number += 4) {
          const key = utf8(`key/${number}`);
          const stored = model.get(`key/${number}`);
          const value = stored === undefined ? undefined : utf8(stored);
          const proof = proveState({ root, node, key });
          expect(verifyStateProof({ root, key, value, proof })).toEqual({ ok: true, value: undefined });
          const lie = stored === undefined ? utf8('0') : undefined;
          expect(verifyStateProof({ root, key, value: lie, proof }).ok).toBe(false);
          expect(verifyStateProof({ root, key, value: utf8('other'), proof }).ok).toBe(false);
        }
      }),
      { numRuns: 80 },
    );
  });

  test('the root does not depend on the order or the batches of the changes', () => {
    const together = filled(200);
    const apart = new Store();
    for (let index = 199; index >= 0; index -= 1) {
      apart.apply([toChange([`passing/${index}`, 'x']), toChange([`key/${index}`, `value ${index}`])]);
      if (index % 3 === 0) apart.apply([toChange([`key/${index}`, 'other'])]);
    }
    for (let index = 0; index < 200; index += 1) {
      apart.apply([toChange([`passing/${index}`, null]), toChange([`key/${index}`, `value ${index}`])]);
    }
    expect(toHex(apart.root)).toBe(toHex(together.root));
    const emptied = filled(50);
    emptied.apply(Array.from({ length: 50 }, (_, index) => toChange([`key/${index}`, null])));
    expect(toHex(emptied.root)).toBe(toHex(EMPTY_STATE_ROOT));
  });

  test('old roots stay provable: an update adds nodes and changes none', () => {
    const store = filled(30);
    const before = store.root;
    store.apply([toChange(['key/3', 'new']), toChange(['key/4', null])]);
    for (const [key, value] of [
      ['key/3', 'value 3'],
      ['key/4', 'value 4'],
    ] as const) {
      const proof = proveState({ root: before, node: store.node, key: utf8(key) });
      expect(verifyStateProof({ root: before, key: utf8(key), value: utf8(value), proof }).ok).toBe(true);
    }
    for (const [named, bytes] of store.nodes) expect(toHex(sha256(bytes))).toBe(named);
  });

  test('an update without effect keeps the root and adds no node', () => {
    const store = filled(30);
    const { root } = store;
    expect(store.apply([])).toBe(0);
    expect(store.apply([toChange(['key/3', 'value 3']), toChange(['nobody', null])])).toBe(0);
    expect(toHex(store.root)).toBe(toHex(root));
  });

  test('one change adds one path: as many nodes as the tree is deep there', () => {
    const store = filled(1000);
    const proof = proveState({ root: store.root, node: store.node, key: utf8('key/7') });
    expect(store.apply([toChange(['key/7', 'new'])])).toBe(proof.siblings.length + 1);
  });

  test('a key twice in a batch and a missing node stop the node', () => {
    const store = filled(10);
    expect(() => store.apply([toChange(['a', '1']), toChange(['a', '2'])])).toThrow(InvariantError);
    store.nodes.delete(toHex(store.root));
    expect(() => proveState({ root: store.root, node: store.node, key: utf8('a') })).toThrow(InvariantError);
  });
});

describe('state proofs', () => {
  const store = filled(64);
  const { root, node } = store;
  const present = utf8('key/5');
  const value = utf8('value 5');
  const presentProof = proveState({ root, node, key: present });
  const absentKeys = Array.from({ length: 200 }, (_, index) => utf8(`nobody/${index}`));
  const proofOf = (key: Uint8Array) => proveState({ root, node, key });
  const toOtherLeaf = absentKeys.find((key) => proofOf(key).leaf !== undefined) as Uint8Array;
  const toNothing = absentKeys.find((key) => proofOf(key).leaf === undefined) as Uint8Array;

  test('an absence is proven by nothing and by another leaf in its place', () => {
    for (const key of [toOtherLeaf, toNothing]) {
      expect(verifyStateProof({ root, key, value: undefined, proof: proofOf(key) }).ok).toBe(true);
    }
  });

  test.each<[string, Parameters<typeof verifyStateProof>[0], string]>([
    ['another value', { root, key: present, value: utf8('x'), proof: presentProof }, 'value'],
    [
      'the absence of a present key',
      { root, key: present, value: undefined, proof: presentProof },
      'key is present',
    ],
    [
      'the proof of another key',
      { root, key: present, value: undefined, proof: proofOf(utf8('key/6')) },
      'leaf off the path',
    ],
    [
      'a value for an absent key',
      { root, key: toOtherLeaf, value, proof: proofOf(toOtherLeaf) },
      'key is absent',
    ],
    ['a value for nothing', { root, key: toNothing, value, proof: proofOf(toNothing) }, 'key is absent'],
    [
      'nothing under a root with keys',
      { root, key: present, value: undefined, proof: { siblings: [], leaf: undefined } },
      'root',
    ],
    ['another root', { root: sha256(root), key: present, value, proof: presentProof }, 'root'],
    ['a short root', { root: root.slice(1), key: present, value, proof: presentProof }, 'hash length'],
    [
      'too many siblings',
      {
        root,
        key: present,
        value,
        proof: { ...presentProof, siblings: Array.from({ length: 257 }, () => root) },
      },
      'too deep',
    ],
  ])('refuses %s', (_, claim, fault) => {
    expect(verifyStateProof(claim)).toEqual({ ok: false, error: fault });
  });

  test('a cut path with an empty side in the place of a subtree is not believed', () => {
    for (let depth = 0; depth < presentProof.siblings.length; depth += 1) {
      const proof = { siblings: presentProof.siblings.slice(0, depth), leaf: undefined };
      expect(verifyStateProof({ root, key: present, value: undefined, proof }).ok).toBe(false);
    }
  });

  test('an inner node does not pass as a leaf: key and value hash cannot be two children', () => {
    const bytes = node(root) as Uint8Array;
    const leaf = { keyHash: bytes.slice(1, 33), valueHash: bytes.slice(33) };
    const verdict = verifyStateProof({
      root,
      key: utf8('any'),
      value: undefined,
      proof: { siblings: [], leaf },
    });
    expect(verdict).toEqual({ ok: false, error: 'root' });
  });

  test('hashes of other lengths are refused even if they concatenate to the right bytes', () => {
    const [first, ...rest] = presentProof.siblings as [Uint8Array, ...Uint8Array[]];
    const wrong: readonly StateProof[] = [
      { ...presentProof, siblings: [concat(first, Uint8Array.of(0)), ...rest] },
      { ...presentProof, siblings: [first.slice(1), ...rest] },
      { siblings: presentProof.siblings, leaf: { keyHash: sha256(present), valueHash: new Uint8Array(31) } },
      { siblings: presentProof.siblings, leaf: { keyHash: new Uint8Array(33), valueHash: sha256(value) } },
    ];
    for (const proof of wrong) {
      expect(verifyStateProof({ root, key: present, value, proof })).toEqual({
        ok: false,
        error: 'hash length',
      });
    }
  });

  test('no mutated proof is believed for any claim about the key', () => {
    const mutation = fc.record({ hash: fc.nat(), bit: fc.integer({ min: 0, max: 255 }), drop: fc.boolean() });
    const key = fc.constantFrom(present, toOtherLeaf, toNothing);
    fc.assert(
      fc.property(key, mutation, (asked, change) => {
        const proof = proofOf(asked);
        const hashes = [
          ...proof.siblings,
          ...(proof.leaf ? [proof.leaf.keyHash, proof.leaf.valueHash] : []),
        ].map((part) => part.slice());
        const part = hashes[change.hash % hashes.length] as Uint8Array;
        part[change.bit >> 3] = (part[change.bit >> 3] ?? 0) ^ (1 << (change.bit & 7));
        const siblings = hashes.slice(0, proof.siblings.length);
        const [keyHash, valueHash] = hashes.slice(proof.siblings.length);
        const mutated: StateProof = {
          siblings: change.drop ? siblings.slice(1) : siblings,
          leaf: keyHash && valueHash ? { keyHash, valueHash } : undefined,
        };
        for (const claimed of [undefined, value, utf8('x')]) {
          expect(verifyStateProof({ root, key: asked, value: claimed, proof: mutated }).ok).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});
