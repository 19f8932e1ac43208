import { type Codec, concat, type OrganizationId, uint, utf8 } from '@careledger/primitives';
import type { StateReader, Write } from '@careledger/state-machine';

/** Eight bytes, most significant first, so that keys sort by number. */
export function bigEndian64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/**
 * A list per organization that is provably complete: the parent holds the count, the children are numbered from 0
 * without a gap, so that a reader with proofs of both knows that nothing was left out.
 */
export interface DenseList<Item> {
  /** `<table>-count/<organization>` → count. */
  readonly countKey: (organization: OrganizationId) => Uint8Array;
  /** `<table>/<organization>/<index, 8 bytes>` → Item. */
  readonly itemKey: (organization: OrganizationId, index: number) => Uint8Array;
  readonly count: (state: StateReader, organization: OrganizationId) => number;
  readonly read: (state: StateReader, organization: OrganizationId, index: number) => Item | undefined;
  readonly append: (
    state: StateReader,
    organization: OrganizationId,
    item: Item,
  ) => { readonly index: number; readonly writes: readonly Write[] };
  /** What breaks density, or `undefined`. */
  readonly check: (state: StateReader) => string | undefined;
}

const ORGANIZATIONS_MAX = 10_000;
const ITEMS_MAX = 1_000_000;

/** @param table for example `records/anchor`. */
export function denseList<Item>(table: string, itemCodec: Codec<Item>): DenseList<Item> {
  const countPrefix = utf8(`${table}-count/`);
  const itemsPrefix = (organization: string): Uint8Array => utf8(`${table}/${organization}/`);
  const countKey = (organization: OrganizationId): Uint8Array => concat(countPrefix, utf8(organization));
  const itemKey = (organization: OrganizationId, index: number): Uint8Array =>
    concat(itemsPrefix(organization), bigEndian64(index));
  const count = (state: StateReader, organization: OrganizationId): number => {
    const bytes = state.get(countKey(organization));
    return bytes === undefined ? 0 : uint.decode(bytes);
  };
  return {
    countKey,
    itemKey,
    count,
    read: (state, organization, index) => {
      const bytes = state.get(itemKey(organization, index));
      return bytes === undefined ? undefined : itemCodec.decode(bytes);
    },
    append: (state, organization, item) => {
      const index = count(state, organization);
      const writes = [
        { key: countKey(organization), value: uint.encode(index + 1) },
        { key: itemKey(organization, index), value: itemCodec.encode(item) },
      ];
      return { index, writes };
    },
    check: (state) => checkDensity(state, { table, countPrefix }),
  };
}

function checkDensity(
  state: StateReader,
  list: { readonly table: string; readonly countPrefix: Uint8Array },
): string | undefined {
  let expected = 0;
  for (const [key, value] of state.scan(list.countPrefix, ORGANIZATIONS_MAX)) {
    const count = uint.decode(value);
    expected += count;
    if (count === 0) return `${list.table} holds a count of zero`;
    const organization = key.subarray(list.countPrefix.length);
    const prefix = concat(utf8(`${list.table}/`), organization, utf8('/'));
    let index = 0;
    for (const [itemKey] of state.scan(prefix, ITEMS_MAX)) {
      const actual = new DataView(itemKey.buffer, itemKey.byteOffset + prefix.length).getBigUint64(0);
      if (actual !== BigInt(index)) return `${list.table} misses item ${index}`;
      index += 1;
    }
    if (index !== count) return `${list.table} counts ${count} and holds ${index}`;
  }
  let held = 0;
  for (const _ of state.scan(utf8(`${list.table}/`), ITEMS_MAX)) held += 1;
  return held === expected ? undefined : `${list.table} holds items that no count covers`;
}
