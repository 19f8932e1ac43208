import type { Row, Scale } from '../benchmark.ts';
import { sized } from '../benchmark.ts';
import { signaturesPerSecond } from './signatures.ts';
import { syncedWritesPerSecond } from './synced-writes.ts';

/** What this machine can do at best, measured in the same run as everything that is compared with it. */
export interface Limits {
  /** Ed25519 verifications a second on both cores, nothing else running. */
  readonly signaturesPerSecond: number;
  /** Appends of a block-sized record a second, each followed by `fdatasync`. */
  readonly syncedWritesPerSecond: number;
}

export async function measureLimits(scale: Scale, folder: (name: string) => string): Promise<Limits> {
  const milliseconds = sized(scale, { full: 2_000, quick: 1_000, smoke: 50 });
  return {
    signaturesPerSecond: await signaturesPerSecond(milliseconds),
    syncedWritesPerSecond: await syncedWritesPerSecond(folder('synced-writes'), milliseconds),
  };
}

export function limitRows(limits: Limits): readonly Row[] {
  return [
    {
      id: 'limits/signatures',
      what: 'raw signature verification, both cores',
      value: limits.signaturesPerSecond,
      unit: '/s',
      better: 'none',
      counts: 'Ed25519 by libsodium over 250 bytes, two worker threads',
    },
    {
      id: 'limits/synced-writes',
      what: 'raw synced writes',
      value: limits.syncedWritesPerSecond,
      unit: '/s',
      better: 'none',
      counts: '2 KiB appended and fdatasync, one after the other',
    },
  ];
}
