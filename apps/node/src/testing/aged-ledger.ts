import { membership, rotateKeyCodec, rotateKeyText } from '@careledger/capabilities';
import { commitBytes, type FinalityCertificate } from '@careledger/ledger';
import type { PublicKey, Signer } from '@careledger/primitives';
import type { Chain } from '../chain/chain.ts';
import { type Closing, closeAll, openLedger } from '../open-node.ts';
import type { TestConsortium } from './test-consortium.ts';

const EXPIRY_MS = 60_000;

export interface AgedLedger {
  readonly ids: readonly Uint8Array[];
  /** Signs blocks from here on, where the key was rotated. */
  readonly validator: Signer;
}

/** The consortium's founding must lie so far back that this many blocks fit before now. */
export interface AgedLedgerOptions {
  readonly blocks: number;
  readonly blockMs: number;
  /** The first member's validator key is replaced at this height. */
  readonly rotation?: { readonly height: number; readonly signer: Signer };
}

/** Fills the first member's folder with final blocks of the past, each with one anchor. */
export async function fillAgedLedger(
  consortium: TestConsortium,
  { blocks, blockMs, rotation }: AgedLedgerOptions,
): Promise<AgedLedger> {
  const closing: Closing = [];
  const { folder } = consortium.member(0);
  const signers = consortium.members.map(({ validator }) => validator);
  const ids: Uint8Array[] = [];
  try {
    const { chain, verifier } = await openLedger({ folder, genesis: consortium.genesis }, closing);
    for (let height = 1; height <= blocks; height += 1) {
      const time = chain.tip.header.time + blockMs;
      const expiresAt = time + EXPIRY_MS;
      const anchor = consortium.anchor(0, { expiresAt });
      const rotate = rotation?.height === height ? rotation.signer : undefined;
      const transactions = [anchor.bytes, ...(rotate ? [rotationOf(consortium, rotate, expiresAt)] : [])];
      ids.push(anchor.id);
      await verifier.prepare(transactions);
      await commit(chain, { time, transactions, signers });
      if (rotate) signers[0] = rotate;
    }
  } finally {
    await closeAll(closing);
  }
  return { ids, validator: signers[0] ?? consortium.member(0).validator };
}

function rotationOf(consortium: TestConsortium, signer: Signer, expiresAt: number): Uint8Array {
  const { validator } = consortium.member(0);
  const terms = { oldKey: validator.publicKey as PublicKey, newKey: signer.publicKey as PublicKey };
  const possession = signer.sign(rotateKeyText(consortium.chain, terms));
  const body = rotateKeyCodec.encode({ ...terms, possession });
  return consortium.signed(validator, { type: `${membership.name}/rotate-key`, body, expiresAt }).bytes;
}

async function commit(
  chain: Chain,
  block: {
    readonly time: number;
    readonly transactions: readonly Uint8Array[];
    readonly signers: readonly Signer[];
  },
): Promise<void> {
  const { time, transactions, signers } = block;
  const { header, headerHash: parentHash } = chain.tip;
  const height = header.height + 1;
  const proposer = signers[0]?.publicKey as PublicKey;
  const { headerHash } = chain.application.execute({ height, parentHash, time, proposer, transactions });
  const content = { engineHeight: height, view: 0, time, ledgerHeight: height, headerHash };
  const message = commitBytes({ chain: header.chain, ...content });
  const certificate: FinalityCertificate = {
    ...content,
    signatures: signers.map((signer) => ({
      publicKey: signer.publicKey as PublicKey,
      signature: signer.sign(message),
    })),
  };
  await chain.commit(headerHash, certificate);
}
