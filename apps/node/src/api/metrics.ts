import { statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { catalog as wholeCatalog } from '@careledger/capabilities';
import type { Block } from '@careledger/ledger';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RunningNode } from '../running-node.ts';
import type { AccessDesk } from './access.ts';
import type { EventStreams } from './event-streams.ts';
import { transactionOf } from './parameters.ts';

const PREFIX = 'careledger_';
const LAG_RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;
const MILLISECONDS = 1_000;
const LAG_QUANTILE = 99;
/** Seconds from a member's submission to its final block: an aim of 100 ms, and what a slow disk makes of it. */
const FINALITY_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface MetricsParts {
  readonly node: RunningNode;
  readonly access: AccessDesk;
  readonly streams: EventStreams;
}

interface Reading {
  readonly name: string;
  readonly help: string;
  readonly read: () => number;
}

/** The node's metrics in a registry of its own. Labels are words of this program: nobody's id is among them. */
export class NodeMetrics {
  readonly registry = new Registry();
  readonly #parts: MetricsParts;
  readonly #lag: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({
    resolution: LAG_RESOLUTION_MS,
  });
  readonly #types: ReadonlySet<string>;
  readonly #transactions: Counter<'type' | 'result'>;
  readonly #finality: Histogram;
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #unsubscribe: () => void;

  constructor(parts: MetricsParts) {
    this.#parts = parts;
    const { capabilities } = parts.node.options.catalog ?? wholeCatalog;
    this.#types = new Set(capabilities.flatMap(({ messages }) => Object.keys(messages)));
    this.#addReadings();
    const registers = [this.registry];
    this.#transactions = new Counter({
      name: `${PREFIX}transactions_total`,
      help: 'Transactions in final blocks since the start, by type and by what became of them.',
      labelNames: ['type', 'result'],
      registers,
    });
    this.#finality = new Histogram({
      name: `${PREFIX}finality_seconds`,
      help: 'From a submission at this node to its final block.',
      buckets: FINALITY_BUCKETS,
      registers,
    });
    this.#requests = new Counter({
      name: `${PREFIX}requests_total`,
      help: 'Answered requests by method, route pattern and status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#addCounted();
    this.#lag.enable();
    this.#unsubscribe = parts.node.chain.onFinal((_head, block) => this.#onFinal(block));
    parts.node.desk.onFinality = (milliseconds) => this.#finality.observe(milliseconds / MILLISECONDS);
  }

  /** The Prometheus text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  /** @param route The pattern, never what was asked for. */
  countRequest(method: string, route: string, status: number): void {
    this.#requests.inc({ method, route, status: String(status) });
  }

  close(): void {
    this.#unsubscribe();
    this.#lag.disable();
    this.registry.clear();
  }

  #onFinal(block: Block | undefined): void {
    for (const [index, bytes] of (block?.transactions ?? []).entries()) {
      const type = transactionOf(bytes)?.payload.type ?? '';
      const result = block?.results[index]?.code === 0 ? 'accepted' : 'refused';
      this.#transactions.inc({ type: this.#types.has(type) ? type : 'other', result });
    }
  }

  #readings(): readonly Reading[] {
    const { node, streams } = this.#parts;
    const { chain, desk } = node;
    const indexFile = join(node.options.folder, 'state', 'data.mdb');
    return [
      { name: 'height', help: 'Newest final height.', read: () => chain.height },
      { name: 'engine_height', help: 'Newest engine height.', read: () => chain.head.engineHeight },
      {
        name: 'final_block_age_seconds',
        help: 'Age of the newest final engine block.',
        read: () => (Date.now() - chain.head.time) / MILLISECONDS,
      },
      { name: 'mempool_transactions', help: 'Transactions that wait.', read: () => desk.mempool.count },
      { name: 'mempool_bytes', help: 'Bytes of transactions that wait.', read: () => desk.mempool.bytes },
      { name: 'segment_bytes', help: 'Bytes of stored blocks.', read: () => chain.store.segments.bytes },
      { name: 'index_bytes', help: 'Bytes of the index and state.', read: () => statSync(indexFile).size },
      {
        name: 'state_oldest_height',
        help: 'Oldest height whose state is provable.',
        read: () => chain.store.index.state.oldestHeight,
      },
      {
        name: 'peers_connected',
        help: 'Connected peers.',
        read: () => node.mesh.topology().filter(({ connected }) => connected).length,
      },
      { name: 'event_streams', help: 'Listeners to server-sent events.', read: () => streams.count },
      {
        name: 'event_loop_lag_seconds',
        help: 'Delay of the event loop since the last reading, 99th percentile.',
        read: () => this.#takeLag(),
      },
      { name: 'resident_memory_bytes', help: 'Memory.', read: () => process.memoryUsage.rss() },
      { name: 'halted', help: '1 when the node has stopped taking part.', read: () => (node.halted ? 1 : 0) },
    ];
  }

  #addReadings(): void {
    for (const { name, help, read } of this.#readings()) {
      new Gauge({
        name: PREFIX + name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    }
  }

  /** Counters that other parts of the node keep. */
  #addCounted(): void {
    const { node, access } = this.#parts;
    const counted: readonly Reading[] = [
      {
        name: 'signatures_verified_total',
        help: 'Signatures checked since the start.',
        read: () => node.verifier.verified,
      },
      {
        name: 'access_denied_total',
        help: 'Denied calls since the start.',
        read: () => access.journal.denied,
      },
      {
        name: 'gossip_dropped_total',
        help: 'Messages of peers over their share, since the start.',
        read: () => node.desk.gossip.dropped,
      },
    ];
    for (const { name, help, read } of counted) this.#addCounter(name, help, [], () => [[{}, read()]]);
    this.#addCounter('transactions_refused_total', 'Refused before ordering, by reason.', ['reason'], () =>
      [...node.desk.refused].map(([reason, count]) => [{ reason }, count]),
    );
    this.#addCounter('peers_refused_total', 'Refused peer connections, by code.', ['code'], () =>
      [...node.refusedPeers].map(([code, count]) => [{ code }, count]),
    );
  }

  #addCounter(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => readonly (readonly [Readonly<Record<string, string>>, number])[],
  ): void {
    new Counter({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  }

  #takeLag(): number {
    const lag = this.#lag.percentile(LAG_QUANTILE) / NANOSECONDS;
    this.#lag.reset();
    return Number.isFinite(lag) ? lag : 0;
  }
}
