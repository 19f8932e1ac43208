import { type CborValue, encodeCbor } from '@careledger/primitives';

/**
 * The bytes that an inner signature covers: a CBOR array that opens with a domain of its own and the chain, so that no
 * signature made for one purpose or one consortium can be shown for another.
 */
export function signedText(domain: string, chain: Uint8Array, ...terms: readonly CborValue[]): Uint8Array {
  return encodeCbor([domain, chain, ...terms]);
}
