import type { RunningNode } from '../running-node.ts';

function line(name: string, value: number, labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(labels).map(([label, content]) => `${label}="${content}"`);
  return `careledger_${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`;
}

/** Counters and gauges in the Prometheus text format. */
export function metricsText(node: RunningNode): string {
  const { height, engineHeight, time, storage, mempool, peers } = node.status();
  const lines = [
    line('height', height),
    line('engine_height', engineHeight),
    line('final_block_age_milliseconds', Date.now() - time),
    line('transactions_total', storage.transactions),
    line('segment_bytes', storage.segmentBytes),
    line('mempool_transactions', mempool.transactions),
    line('mempool_bytes', mempool.bytes),
    line('peers_connected', peers.filter(({ connected }) => connected).length),
    line('signatures_verified_total', node.verifier.verified),
    line('halted', node.halted ? 1 : 0),
    ...[...node.desk.refused].map(([reason, count]) => line('transactions_refused_total', count, { reason })),
    ...[...node.refusedPeers].map(([code, count]) => line('peers_refused_total', count, { code })),
  ];
  return `${lines.join('\n')}\n`;
}
