import type { Answer, GatewaySession, RequestOptions } from '../../apps/cli/src/scenario/gateway-session.ts';
import { percentile } from '../benchmark.ts';

/** Requests on their way at one time: enough that both cores always have work. */
export const CONCURRENCY = 16;

export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly answers: readonly Answer[];
}

export interface FhirRequest extends RequestOptions {
  readonly path: string;
  /** The only status that counts. */
  readonly expect: number;
}

/** Sends all of them, {@link CONCURRENCY} at a time. @throws Error on the first answer that is another than expected. */
export async function sendAll(
  session: GatewaySession,
  requests: readonly FhirRequest[],
): Promise<LoadResult> {
  const answers: Answer[] = [];
  const latencies: number[] = [];
  let next = 0;
  const began = performance.now();
  const sender = async (): Promise<void> => {
    for (let at = next++; at < requests.length; at = next++) {
      const { path, expect, ...options } = requests[at] as FhirRequest;
      const sent = performance.now();
      const answer = await session.send(path, options);
      latencies.push(performance.now() - sent);
      if (answer.status !== expect)
        throw new Error(`${options.method ?? 'GET'} ${answer.status}, not ${expect}`);
      answers[at] = answer;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, sender));
  const seconds = (performance.now() - began) / 1000;
  return {
    perSecond: requests.length / seconds,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    answers,
  };
}
