import { domainHash, toHex, utf8 } from '@careledger/primitives';

/**
 * The logical id of an imported record: a version 8 UUID (RFC 9562, section 5.8) from SHA-256 over source and fullUrl,
 * so that every run gives it the same id and references can be rewritten before their target is read.
 */
export function stableId(source: string, fullUrl: string): string {
  const bytes = domainHash('careledger/import-id/v1', utf8(source), utf8(fullUrl)).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
