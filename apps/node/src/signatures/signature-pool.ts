import { Worker } from 'node:worker_threads';
import type { SignatureClaim } from '@careledger/primitives';
import { BATCH_SIGNATURES, isWellFormed, packClaims, verifyWithSodium } from './verify-batch.ts';
import type { BatchReply, BatchRequest } from './worker.ts';

const WORKERS = 2;
/** Fewer are checked on the spot: crossing to a worker and back costs more than this many verifications. */
const INLINE_MAX = 2;

interface Waiting {
  readonly resolve: (verdicts: Uint8Array) => void;
  readonly reject: (fault: Error) => void;
}

/** Ed25519 verification in two worker threads, 64 signatures in one transferred buffer. */
export class SignaturePool {
  readonly #workers: readonly Worker[];
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;
  #fault: Error | undefined;

  constructor() {
    this.#workers = Array.from({ length: WORKERS }, () => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url));
      worker.unref();
      worker.on('message', ({ number, verdicts }: BatchReply) => {
        this.#waiting.get(number)?.resolve(verdicts);
        this.#waiting.delete(number);
      });
      worker.on('error', (fault) => this.#fail(fault));
      return worker;
    });
  }

  /** Which of these signatures hold, in order. @throws when a worker has died: the node must stop. */
  async verify(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    if (claims.length <= INLINE_MAX || !claims.every(isWellFormed)) return claims.map(verifyWithSodium);
    const batches: Promise<Uint8Array>[] = [];
    for (let start = 0; start < claims.length; start += BATCH_SIGNATURES) {
      batches.push(this.#send(claims.slice(start, start + BATCH_SIGNATURES)));
    }
    return (await Promise.all(batches)).flatMap((verdicts) => [...verdicts].map((verdict) => verdict === 1));
  }

  async close(): Promise<void> {
    this.#fail(new Error('the signature workers are closed'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #send(claims: readonly SignatureClaim[]): Promise<Uint8Array> {
    const fault = this.#fault;
    if (fault) return Promise.reject(fault);
    this.#number += 1;
    const request: BatchRequest = { number: this.#number, packed: packClaims(claims) };
    const worker = this.#workers[request.number % WORKERS];
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.number, { resolve, reject });
      worker?.postMessage(request, [request.packed]);
    });
  }

  #fail(fault: Error): void {
    this.#fault ??= fault;
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
  }
}
