import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@careledger/primitives';

/** What JSON can hold of a value: bytes as hexadecimal, absent values left out. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, content]) => content !== undefined);
  return Object.fromEntries(entries.map(([name, content]) => [name, toJson(content)]));
}

/**
 * Keeps what a person must look at: two contradicting votes, or a header that this node does not compute.
 * @returns The file.
 */
export function writeEvidence(folder: string, kind: 'halt' | 'equivocation', evidence: object): string {
  const place = join(folder, 'evidence');
  mkdirSync(place, { recursive: true });
  const time = new Date().toISOString();
  const path = join(place, `${kind}-${time.replaceAll(':', '')}.json`);
  const content = toJson({ kind, time, ...evidence });
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`, { flush: true });
  return path;
}
