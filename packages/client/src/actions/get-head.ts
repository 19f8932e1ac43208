import { certifiedHeaderCodec } from '@careledger/ledger';
import { StaleAnswerError } from '../errors.ts';
import {
  checkHeight,
  decodeAnswer,
  type KnownHead,
  type LedgerClient,
  verifyCertified,
} from '../ledger-client.ts';
import { ask, CBOR_TYPE, chainPath } from '../transport.ts';

const HEAD_BYTES_MAX = 1024 * 1024;

/**
 * Reads the newest final header and checks its quorum of signatures.
 *
 * @param options.notBefore The oldest engine time in milliseconds that the caller takes for fresh; none by default.
 * @throws ProofMismatchError when no quorum signed it; StaleAnswerError when it is older than what was seen or than
 * `notBefore`.
 *
 * @example
 * const head = await getHead(client, { notBefore: Date.now() - 6_000 });
 */
export async function getHead(
  client: LedgerClient,
  options: { readonly notBefore?: number } = {},
): Promise<KnownHead> {
  const answer = await ask(
    client.transport,
    { method: 'GET', path: chainPath(client.chain, 'head'), accept: CBOR_TYPE, bytesMax: HEAD_BYTES_MAX },
    'head',
  );
  const certified = decodeAnswer(certifiedHeaderCodec, answer);
  const headerHash = await verifyCertified(client, certified);
  checkHeight(client, certified.header, undefined);
  const head: KnownHead = { header: certified.header, headerHash, time: certified.certificate.time };
  if (options.notBefore !== undefined && head.time < options.notBefore) {
    throw new StaleAnswerError(head.header.height, client.known()?.header.height ?? head.header.height);
  }
  client.saw(head);
  return head;
}
