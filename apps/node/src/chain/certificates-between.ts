import type { Certificate } from '@careledger/consensus';
import type { FinalityCertificate } from '@careledger/ledger';
import { fromHex, type HeaderHash, invariant, type PublicKey, toHex } from '@careledger/primitives';

/** The engine's certificate, whose names are hexadecimal texts, as the ledger stores it. */
export function toFinality(certificate: Certificate): FinalityCertificate {
  const { engineHeight, view, time, ledgerHeight } = certificate;
  return {
    engineHeight,
    view,
    time,
    ledgerHeight,
    headerHash: bytesOf(certificate.headerHash) as HeaderHash,
    signatures: certificate.signatures.map(({ key, signature }) => ({
      publicKey: bytesOf(key) as PublicKey,
      signature,
    })),
  };
}

/** The ledger's certificate as the engine knows it. */
export function toEngine(certificate: FinalityCertificate): Certificate {
  const { engineHeight, view, time, ledgerHeight } = certificate;
  return {
    engineHeight,
    view,
    time,
    ledgerHeight,
    headerHash: toHex(certificate.headerHash),
    signatures: certificate.signatures.map(({ publicKey, signature }) => ({
      key: toHex(publicKey),
      signature,
    })),
  };
}

/** Bytes of a hexadecimal text that the engine made. */
export function bytesOf(text: string): Uint8Array {
  const bytes = fromHex(text);
  invariant(bytes, 'the engine names keys and hashes in hexadecimal');
  return bytes;
}
