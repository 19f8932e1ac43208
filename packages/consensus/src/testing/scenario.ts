import { createAuthority } from '../authority/authority.ts';
import { digestOf } from '../pbft/candidate.ts';
import { commitBytes } from '../pbft/certificate.ts';
import {
  decidedBytes,
  decodeMessage,
  type Envelope,
  encodeMessage,
  newViewBytes,
  type PreparedProof,
  prePrepareBytes,
  prepareBytes,
  viewChangeBytes,
} from '../pbft/messages.ts';
import { createPbft } from '../pbft/pbft.ts';
import { votingRecordCodec } from '../pbft/record.ts';
import type { VotingState } from '../pbft/state.ts';
import { proposalCodec } from '../pbft/wire.ts';
import type { Certificate, Effect, EngineProposal, Input, Protocol } from '../protocol.ts';
import { CHAIN, GENESIS_HASH, keyOf, optionsFor, sha256Hex, signAs, validatorsOf } from './keys.ts';

/**
 * Plays one node of a network, line by line, and writes down its effects: the text files in `pbft/scenarios`.
 *
 * ```text
 * node b of abcd pbft
 * let P by=a time=20
 * from a pre-prepare P
 * ----
 * execute P
 * ```
 */
export class Scenario {
  #names: readonly string[] = [];
  #self = '';
  #protocol: Protocol<VotingState> | undefined;
  #state: VotingState | undefined;
  #record: Uint8Array | undefined;
  #decided: { readonly proposal: EngineProposal; readonly certificate: Certificate } | undefined;
  #head = { engineHeight: 0, ledgerHeight: 0, headerHash: GENESIS_HASH };
  readonly #proposals = new Map<string, EngineProposal>();

  /** Runs one line. @returns the effects, a line each. */
  run(line: string): readonly string[] {
    const words = line.split(' ');
    const [verb = ''] = words;
    const given = new Map(words.filter((word) => word.includes('=')).map(pair));
    if (verb === 'node') return this.#create(words);
    if (verb === 'let') return this.#define(words[1] ?? '', given);
    if (verb === 'restart') return this.#start();
    return this.#step(this.#input(verb, words, given));
  }

  #create(words: readonly string[]): readonly string[] {
    const [, self = '', , names = '', engine = ''] = words;
    this.#self = self;
    this.#state = undefined;
    this.#record = undefined;
    this.#decided = undefined;
    this.#proposals.clear();
    this.#names = [...names];
    this.#engine = engine === 'authority' ? createAuthority : createPbft;
    return this.#start();
  }

  #engine = createPbft;

  #start(): readonly string[] {
    this.#protocol = this.#engine({ ...optionsFor(keyOf(this.#self)), restored: this.#record });
    const now = this.#state?.now ?? 0;
    this.#state = this.#protocol.initial;
    return [...this.#step({ type: 'tick', now }), ...this.#step(this.#advanced(this.#decided?.certificate))];
  }

  #step(input: Input): readonly string[] {
    if (!this.#protocol || !this.#state) throw new Error('a scenario begins with a node');
    const { next, effects } = this.#protocol.step(this.#state, input);
    this.#state = next;
    for (const effect of effects) this.#note(effect);
    return effects.map((effect) => this.#describe(effect));
  }

  #note(effect: Effect): void {
    if (effect.type === 'persist') this.#record = effect.bytes;
    if (effect.type === 'decide') this.#decided = effect;
  }

  #define(name: string, given: ReadonlyMap<string, string>): readonly string[] {
    const { engineHeight, ledgerHeight, headerHash } = this.#head;
    const heartbeat = given.get('heartbeat') === 'yes';
    const parent = given.get('parent');
    this.#proposals.set(name, {
      engineHeight: Number(given.get('height') ?? engineHeight + 1),
      time: Number(given.get('time')),
      proposer: keyOf(given.get('by') ?? ''),
      ledgerHeight: Number(given.get('ledger') ?? ledgerHeight + (heartbeat ? 0 : 1)),
      parentHash: parent ? sha256Hex(parent) : headerHash,
      headerHash: heartbeat ? headerHash : sha256Hex(given.get('header') ?? name),
      transactions: heartbeat ? [] : [new Uint8Array(Number(given.get('bytes') ?? 1))],
    });
    return [];
  }

  #proposal(name: string | undefined): EngineProposal {
    const proposal = this.#proposals.get(name ?? '');
    if (!proposal) throw new Error(`no proposal is called ${name}`);
    return proposal;
  }

  #digest(name: string | undefined): string {
    return digestOf(proposalCodec.encode(this.#proposal(name)));
  }

  #input(verb: string, words: readonly string[], given: ReadonlyMap<string, string>): Input {
    const [, first = '', second = ''] = words;
    switch (verb) {
      case 'tick':
        return { type: 'tick', now: Number(first) };
      case 'pending':
        return { type: 'pending', count: Number(first), bytes: Number(second) };
      case 'built':
        return { type: 'built', proposal: this.#proposal(first) };
      case 'executed': {
        const headerHash = sha256Hex(given.get('as') ?? '');
        const own = this.#proposal(first).headerHash;
        return {
          type: 'executed',
          digest: this.#digest(first),
          headerHash: given.has('as') ? headerHash : own,
        };
      }
      case 'refused':
        return { type: 'refused', digest: this.#digest(first), reason: 'not acceptable' };
      case 'advanced':
        return this.#advanced(
          given.has('signed') ? this.#certificate(first, given.get('signed')) : this.#decided?.certificate,
        );
      case 'from':
        return { type: 'message', from: keyOf(first), bytes: this.#message(words, given) };
      default:
        throw new Error(`not a line of a scenario: ${verb}`);
    }
  }

  #advanced(certificate: Certificate | undefined): Input {
    const { engineHeight = 0, time = 0, ledgerHeight = 0, headerHash = GENESIS_HASH } = certificate ?? {};
    this.#head = { engineHeight, ledgerHeight, headerHash };
    const validators = validatorsOf(this.#names);
    return { type: 'advanced', engineHeight, time, ledgerHeight, headerHash, certificate, validators };
  }

  /** `signed=abc@1`: by these validators in this view. */
  #certificate(name: string, signed: string | undefined): Certificate {
    const [signers = '', view = '0'] = (signed ?? '').split('@');
    const { engineHeight, time, ledgerHeight, headerHash } = this.#proposal(name);
    const content = { engineHeight, view: Number(view), time, ledgerHeight, headerHash };
    const bytes = commitBytes(CHAIN, content);
    const signatures = [...signers].map((signer) => ({
      key: keyOf(signer),
      signature: signAs(keyOf(signer), bytes),
    }));
    return { ...content, signatures };
  }

  /** `prepared=P:abc@1`: a quorum prepared P in view 1. With `!` forged. In a new-view one a vote. */
  #prepared(engineHeight: number, text: string | undefined): PreparedProof | undefined {
    if (!text) return undefined;
    const [name, rest = ''] = text.split(':');
    const [signers = '', inView = '0'] = rest.replace('!', '').split('@');
    const view = Number(inView);
    const as = (signer: string): string => (rest.endsWith('!') ? keyOf('forger') : keyOf(signer));
    const digest = this.#digest(name);
    const bytes = prepareBytes({ chain: CHAIN, engineHeight, view }, digest);
    const signatures = [...signers].map((signer) => ({
      key: keyOf(signer),
      signature: signAs(as(signer), bytes),
    }));
    return { view, digest, signatures };
  }

  /** `from a prepare P view=1 leader=a`. */
  #message(words: readonly string[], given: ReadonlyMap<string, string>): Uint8Array {
    const [, from = '', kind = '', name] = words;
    const key = keyOf(from);
    const sign = (payload: Uint8Array, as = key): Envelope => ({
      payload,
      signer: as,
      signature: signAs(given.has('forged') ? sha256Hex('someone else') : as, payload),
    });
    const defined = name !== undefined && this.#proposals.has(name) ? this.#proposal(name) : undefined;
    const engineHeight = Number(given.get('height') ?? defined?.engineHeight ?? this.#head.engineHeight + 1);
    const view = Number(given.get('view') ?? 0);
    const position = { chain: CHAIN, engineHeight, view };
    const [certified = '', signed] = (given.get('certified') ?? '').split(':');
    const certificate = signed ? { certificate: this.#certificate(certified, signed) } : {};
    const prepared = this.#prepared(engineHeight, given.get('prepared')?.split(',')[0]);
    const attached = given.get('attached') ?? given.get('prepared')?.split(':')[0];
    const proposal = attached ? { proposal: proposalCodec.encode(this.#proposal(attached)) } : {};
    switch (kind) {
      case 'pre-prepare': {
        const bytes = proposalCodec.encode(this.#proposal(name));
        return encodeMessage({
          ...sign(prePrepareBytes(position, digestOf(bytes))),
          proposal: bytes,
          ...certificate,
        });
      }
      case 'prepare': {
        const leader = keyOf(given.get('leader') ?? from);
        const leaderSignature = signAs(leader, prePrepareBytes(position, this.#digest(name)));
        return encodeMessage({ ...sign(prepareBytes(position, this.#digest(name))), leaderSignature });
      }
      case 'commit': {
        const { time, ledgerHeight, headerHash } = this.#proposal(name);
        return encodeMessage(
          sign(commitBytes(CHAIN, { engineHeight, view, time, ledgerHeight, headerHash })),
        );
      }
      case 'view-change':
        return encodeMessage({ ...sign(viewChangeBytes(position, prepared)), ...proposal });
      case 'new-view': {
        const voters = [...(given.get('by') ?? '')];
        const proofs = (given.get('prepared') ?? '').split(',');
        const votes = voters.map((voter, index) =>
          sign(viewChangeBytes(position, this.#prepared(engineHeight, proofs[index])), keyOf(voter)),
        );
        return encodeMessage({ ...sign(newViewBytes(position, votes)), ...proposal });
      }
      case 'decided':
        return encodeMessage({ ...sign(decidedBytes(position)), ...certificate });
      default:
        throw new Error(`not a message: ${kind}`);
    }
  }

  #nameOfDigest(digest: string): string {
    const known = [...this.#proposals.keys()].find((name) => this.#digest(name) === digest);
    return known ?? 'unknown';
  }

  #nameOfKey(key: string): string {
    return this.#names.find((name) => keyOf(name) === key) ?? 'unknown';
  }

  #describe(effect: Effect): string {
    switch (effect.type) {
      case 'persist': {
        const { view, active, prepared, head } = votingRecordCodec.decode(effect.bytes);
        const seen = prepared
          ? ` prepared=${this.#nameOfDigest(prepared.proof.digest)}@${prepared.proof.view}`
          : '';
        return `persist height=${head.engineHeight + 1} view=${view} ${active ? 'active' : 'waiting'}${seen}`;
      }
      case 'broadcast':
        return `broadcast ${this.#describeMessage(effect.bytes)}`;
      case 'send':
        return `send ${this.#nameOfKey(effect.to)} ${this.#describeMessage(effect.bytes)}`;
      case 'build':
        return `build height=${effect.engineHeight} time=${effect.time} over=${effect.ledgerHeight}`;
      case 'execute':
        return `execute ${this.#nameOfDigest(effect.digest)}`;
      case 'decide': {
        const { certificate, proposal } = effect;
        const signers = certificate.signatures.map(({ key }) => this.#nameOfKey(key)).join('');
        const { engineHeight, ledgerHeight, time } = proposal;
        return `decide height=${engineHeight} ledger=${ledgerHeight} time=${time} signed=${signers}@${certificate.view}`;
      }
      case 'behind':
        return `behind height=${effect.engineHeight} from=${this.#nameOfKey(effect.from)}`;
      case 'evidence': {
        const [first, second] = [effect.first, effect.second].map((bytes) => this.#describeMessage(bytes));
        return `evidence against=${this.#nameOfKey(effect.against)}: ${first} / ${second}`;
      }
      case 'halt':
        return `halt: ${effect.reason}`;
    }
  }

  #describeMessage(bytes: Uint8Array): string {
    const message = decodeMessage(bytes, bytes.length);
    if (!message) return 'not a message';
    const { kind, engineHeight, view } = message;
    const place = `height=${engineHeight} view=${view}`;
    switch (message.kind) {
      case 'pre-prepare':
      case 'prepare':
        return `${kind} ${this.#nameOfDigest(message.digest)} ${place}`;
      case 'commit': {
        const { time, headerHash } = message.content;
        const name = [...this.#proposals].find(
          ([, proposal]) => proposal.headerHash === headerHash && proposal.time === time,
        );
        return `${kind} ${name?.[0] ?? 'unknown'} ${place}`;
      }
      case 'view-change': {
        const { prepared } = message;
        return `${kind} ${place}${prepared ? ` prepared=${this.#nameOfDigest(prepared.digest)}@${prepared.view}` : ''}`;
      }
      case 'new-view':
        return `${kind} ${place} votes=${message.viewChanges.length}`;
      case 'decided':
        return `${kind} ${place}`;
    }
  }
}

function pair(word: string): readonly [string, string] {
  const [name = '', value = ''] = word.split('=');
  return [name, value];
}

/**
 * Plays a whole text: comments (`#`) stay, each paragraph is lines to run, `----`, and the effects.
 * @returns the text with the effects that happened.
 */
export function playScenario(text: string): string {
  const scenario = new Scenario();
  const paragraphs = text.trimEnd().split('\n\n');
  const played = paragraphs.map((paragraph) => {
    const lines = paragraph.split('\n');
    const end = lines.indexOf('----');
    const inputs = end < 0 ? lines : lines.slice(0, end);
    const effects = inputs.flatMap((line) => (line.startsWith('#') ? [] : scenario.run(line)));
    if (end < 0 && effects.length === 0) return inputs.join('\n');
    return [...inputs, '----', ...(effects.length > 0 ? effects : ['nothing'])].join('\n');
  });
  return `${played.join('\n\n')}\n`;
}
