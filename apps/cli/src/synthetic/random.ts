import { domainHash, toHex, utf8 } from '@careledger/primitives';

/** A stream of numbers that depends on its seed alone. */
export interface Random {
  /** An integer from `least` to `most`, both included. */
  integer(least: number, most: number): number;
  /** True with this probability, in percent. */
  chance(percent: number): boolean;
  /** One of the items. */
  pick<Item>(items: readonly [Item, ...Item[]]): Item;
}

const STREAM_DOMAIN = 'careledger/synthetic/stream/v1';
const ID_DOMAIN = 'careledger/synthetic/id/v1';

/** The generator sfc32 (Chris Doty-Humphrey's PractRand), its state taken from SHA-256 of the seed. Not for secrets. */
export function randomFrom(seed: string): Random {
  const digest = domainHash(STREAM_DOMAIN, utf8(seed));
  const view = new DataView(digest.buffer, digest.byteOffset);
  let [a, b, c, counter] = [view.getUint32(0), view.getUint32(4), view.getUint32(8), 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round += 1) next();
  const integer = (least: number, most: number): number => least + (next() % (most - least + 1));
  return {
    integer,
    chance: (percent) => integer(1, 100) <= percent,
    pick: (items) => items[integer(0, items.length - 1)] ?? items[0],
  };
}

/** A version 8 UUID (RFC 9562) named by its parts. */
export function idFrom(...names: readonly string[]): string {
  const bytes = domainHash(ID_DOMAIN, ...names.map((name) => utf8(name))).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
