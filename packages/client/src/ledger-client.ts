import {
  type BlockHeader,
  type CertifiedHeader,
  GENESIS_BYTES_MAX,
  TrustedChain,
  type TrustPath,
  trustPathCodec,
} from '@careledger/ledger';
import {
  CborError,
  type ChainId,
  type Codec,
  type HeaderHash,
  type VerifySignature,
} from '@careledger/primitives';
import { ProofMismatchError, StaleAnswerError } from './errors.ts';
import { ask, CBOR_TYPE, chainPath, type NodeTransport } from './transport.ts';

/** The newest header that this client has verified. */
export interface KnownHead {
  readonly header: BlockHeader;
  readonly headerHash: HeaderHash;
  /** Engine block time in milliseconds. */
  readonly time: number;
}

/**
 * A view of one chain that believes no node: it starts from the chain id, learns validator sets from verified headers,
 * and refuses answers that are older than what it has seen. Made by {@link createLedgerClient}; the actions take it.
 */
export interface LedgerClient {
  readonly chain: ChainId;
  readonly transport: NodeTransport;
  readonly verifySignature: VerifySignature;
  readonly trusted: TrustedChain;
  /** The newest head so far, or `undefined` before the first read. */
  readonly known: () => KnownHead | undefined;
  /** Takes note of a header that was verified. */
  readonly saw: (head: KnownHead) => void;
}

export interface LedgerClientOptions {
  /** The one thing taken on trust: SHA-256 of the genesis document, from the consortium's charter. */
  readonly chain: Uint8Array;
  readonly transport: NodeTransport;
  readonly verifySignature: VerifySignature;
  /** The genesis document's bytes where they are at hand; otherwise the node is asked and its answer hashed. */
  readonly genesis?: Uint8Array;
}

const TRUST_PATH_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Opens a verifying view of a chain.
 *
 * @throws ProofMismatchError `genesis` when the document's hash is not the trusted chain id.
 *
 * @example
 * const client = await createLedgerClient({ chain, transport, verifySignature });
 * const consent = await getConsent(client, { consentId });
 */
export async function createLedgerClient(options: LedgerClientOptions): Promise<LedgerClient> {
  const { chain, transport, verifySignature } = options;
  const genesis =
    options.genesis ??
    (await ask(
      transport,
      { method: 'GET', path: chainPath(chain, 'genesis'), accept: CBOR_TYPE, bytesMax: GENESIS_BYTES_MAX },
      'chain',
    ));
  const trusted = TrustedChain.fromGenesis({ genesis, expectedChain: chain });
  if (!trusted.ok) throw new ProofMismatchError(trusted.error.code, trusted.error.detail);
  let known: KnownHead | undefined;
  return {
    chain: trusted.value.chain,
    transport,
    verifySignature,
    trusted: trusted.value,
    known: () => known,
    saw: (head) => {
      if (known === undefined || isNewer(head, known)) known = head;
    },
  };
}

function isNewer(head: KnownHead, known: KnownHead): boolean {
  return head.header.height > known.header.height || head.time > known.time;
}

/** Decodes an answer. @throws ProofMismatchError `form` when the bytes are not exactly what they should be. */
export function decodeAnswer<Value>(codec: Codec<Value>, answer: Uint8Array): Value {
  try {
    return codec.decode(answer);
  } catch (error) {
    if (error instanceof CborError) throw new ProofMismatchError('form', error.message);
    throw error;
  }
}

/**
 * Reads every validator-set change since genesis and learns from it: each is a header that the set before it signed, so a
 * node cannot slip one in.
 *
 * @throws ProofMismatchError when a change does not hold.
 */
export async function learnTrustPath(client: LedgerClient): Promise<TrustPath> {
  const answer = await ask(
    client.transport,
    {
      method: 'GET',
      path: chainPath(client.chain, 'trust-path'),
      accept: CBOR_TYPE,
      bytesMax: TRUST_PATH_BYTES_MAX,
    },
    'trust path',
  );
  const path = decodeAnswer(trustPathCodec, answer);
  for (const set of path.validatorSets) client.trusted.offerValidators(set);
  for (const change of path.changes) {
    const verified = client.trusted.verifyHeader(change, client.verifySignature);
    if (!verified.ok) throw new ProofMismatchError(verified.error.code, verified.error.detail);
  }
  return path;
}

/**
 * Checks that a header is final on this chain, fetching newer validator sets where they are needed.
 *
 * @throws ProofMismatchError
 */
export async function verifyCertified(client: LedgerClient, certified: CertifiedHeader): Promise<HeaderHash> {
  let verified = client.trusted.verifyHeader(certified, client.verifySignature);
  if (!verified.ok && verified.error.code === 'validator set') {
    await learnTrustPath(client);
    verified = client.trusted.verifyHeader(certified, client.verifySignature);
  }
  if (!verified.ok) throw new ProofMismatchError(verified.error.code, verified.error.detail);
  return verified.value;
}

/**
 * Is a verified header as new as this client may expect, or exactly of the height that was asked for?
 *
 * @throws StaleAnswerError, ProofMismatchError `height`.
 */
export function checkHeight(client: LedgerClient, header: BlockHeader, asked: number | undefined): void {
  if (asked !== undefined) {
    if (header.height !== asked) throw new ProofMismatchError('height', 'another height was asked for');
    return;
  }
  const known = client.known()?.header.height;
  if (known !== undefined && header.height < known) throw new StaleAnswerError(header.height, known);
}
