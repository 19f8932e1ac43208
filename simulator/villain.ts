import {
  type Certificate,
  certifySame,
  commitBytes,
  decodeMessage,
  digestOf,
  type EngineProposal,
  type Envelope,
  encodeMessage,
  type Message,
  prePrepareBytes,
  prepareBytes,
  proposalCodec,
  viewChangeBytes,
} from '@careledger/consensus';
import { CHAIN } from './hash-chain.ts';
import { signAs } from './keys.ts';
import type { Random } from './random.ts';
import type { Outgoing, Replica } from './replica.ts';

export const VILLAINIES = [
  'equivocate',
  'silent',
  'lying-header',
  'future-time',
  'replay',
  'selective',
  'false-votes',
  'forget-prepared',
] as const;
export type Villainy = (typeof VILLAINIES)[number];

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const REPLAY_KEPT = 200;

interface Twin {
  readonly proposal: EngineProposal;
  readonly digest: string;
  readonly leaderSignature: Uint8Array;
}

/** What villains agree on behind the scenes: the digest told to one group → the twin told to the other. */
export type Plot = Map<string, Twin>;

/** A Byzantine node: it runs the honest protocol and changes what leaves it, signing with its own key. */
export class Villain {
  readonly villainy: Villainy;
  readonly #random: Random;
  readonly #said: Uint8Array[] = [];
  readonly #plot: Plot;
  /** How often two groups were told two things. */
  equivocations = 0;

  constructor(villainy: Villainy, plot: Plot, random: Random) {
    this.villainy = villainy;
    this.#plot = plot;
    this.#random = random;
  }

  speak(replica: Replica, outgoing: Outgoing): void {
    const message = decodeMessage(outgoing.bytes, MESSAGE_BYTES_MAX);
    if (!message || outgoing.type === 'send') {
      replica.transmit(outgoing);
    } else if (this.villainy === 'equivocate') {
      this.#equivocate(replica, outgoing, message);
    } else if (this.villainy === 'selective') {
      this.#tell(replica, this.#groups(replica)[0], outgoing.bytes);
    } else if (this.villainy === 'replay') {
      this.#replay(replica, outgoing);
    } else if (this.villainy !== 'silent') {
      replica.transmit({ ...outgoing, bytes: this.#falsify(replica, message) ?? outgoing.bytes });
    }
  }

  #tell(replica: Replica, to: readonly number[], bytes: Uint8Array): void {
    for (const index of to) replica.options.send(index, { type: 'consensus', bytes });
  }

  /** The last f of the others hear the twin. The same for a whole run, so that its lies hold within each group. */
  #groups(replica: Replica): readonly [readonly number[], readonly number[]] {
    const others = replica.others();
    const few = Math.ceil(others.length / 3);
    return [others.slice(0, -few), others.slice(-few)];
  }

  #replay(replica: Replica, outgoing: Outgoing): void {
    replica.transmit(outgoing);
    this.#said.push(outgoing.bytes);
    if (this.#said.length > REPLAY_KEPT) this.#said.shift();
    replica.transmit({ ...outgoing, bytes: this.#random.pick(this.#said) });
  }

  #sign(replica: Replica, payload: Uint8Array): Envelope {
    return { payload, signer: replica.key, signature: signAs(replica.key, payload) };
  }

  #falsify(replica: Replica, message: Message): Uint8Array | undefined {
    const { envelope, chain, engineHeight, view } = message;
    const position = { chain, engineHeight, view };
    if (this.villainy === 'forget-prepared' && message.kind === 'view-change') {
      return encodeMessage(this.#sign(replica, viewChangeBytes(position, undefined)));
    }
    if (this.villainy === 'false-votes' && message.kind === 'commit') {
      const content = { ...message.content, headerHash: digestOf(envelope.payload) };
      return encodeMessage(this.#sign(replica, commitBytes(CHAIN, content)));
    }
    if (message.kind !== 'pre-prepare' || !envelope.proposal) return undefined;
    const proposal = proposalCodec.decode(envelope.proposal);
    const changed = this.#changedProposal(replica, proposal);
    return changed && this.#prePrepare(replica, message, changed).bytes;
  }

  #changedProposal(replica: Replica, proposal: EngineProposal): EngineProposal | undefined {
    const seals = proposal.transactions.length > 0;
    if (this.villainy === 'lying-header' && seals) {
      return { ...proposal, headerHash: digestOf(proposalCodec.encode(proposal)) };
    }
    if (this.villainy === 'future-time') return this.#retimed(replica, proposal, 60_000);
    return undefined;
  }

  #retimed(replica: Replica, proposal: EngineProposal, more: number): EngineProposal {
    const later = { ...proposal, time: proposal.time + more };
    const seals = proposal.transactions.length > 0;
    return seals ? { ...later, headerHash: replica.computeHash(later) } : later;
  }

  #prePrepare(
    replica: Replica,
    message: Message,
    proposal: EngineProposal,
  ): { readonly bytes: Uint8Array; readonly digest: string; readonly leaderSignature: Uint8Array } {
    const encoded = proposalCodec.encode(proposal);
    const digest = digestOf(encoded);
    const { chain, engineHeight, view } = message;
    const certificate: Certificate | undefined = message.envelope.certificate;
    const envelope = {
      ...this.#sign(replica, prePrepareBytes({ chain, engineHeight, view }, digest)),
      proposal: encoded,
      ...(certificate && { certificate }),
    };
    return { bytes: encodeMessage(envelope), digest, leaderSignature: envelope.signature };
  }

  /** Tells one group one proposal and the other its twin, and votes for both. */
  #equivocate(replica: Replica, outgoing: Outgoing, message: Message): void {
    const twin = this.#twinOf(replica, message);
    const [first, second] = this.#groups(replica);
    this.#tell(replica, first, outgoing.bytes);
    this.#tell(replica, second, twin ?? outgoing.bytes);
    if (twin) this.equivocations += 1;
  }

  #twinOf(replica: Replica, message: Message): Uint8Array | undefined {
    const { chain, engineHeight, view, envelope } = message;
    const position = { chain, engineHeight, view };
    if (message.kind === 'pre-prepare' && envelope.proposal) {
      const proposal = this.#retimed(replica, proposalCodec.decode(envelope.proposal), 1);
      const { bytes, ...twin } = this.#prePrepare(replica, message, proposal);
      this.#plot.set(message.digest, { proposal, ...twin });
      return bytes;
    }
    if (message.kind === 'prepare') {
      const twin = this.#plot.get(message.digest);
      if (!twin) return undefined;
      const { leaderSignature } = twin;
      return encodeMessage({
        ...this.#sign(replica, prepareBytes(position, twin.digest)),
        leaderSignature,
      });
    }
    if (message.kind !== 'commit') return undefined;
    const { content } = message;
    const twin = [...this.#plot.values()].find(({ proposal }) =>
      certifySame({ ...content, time: content.time + 1, headerHash: proposal.headerHash }, proposal),
    );
    if (!twin) return undefined;
    const { time, headerHash } = twin.proposal;
    return encodeMessage(this.#sign(replica, commitBytes(CHAIN, { ...content, time, headerHash })));
  }
}
