import { Worker } from 'node:worker_threads';
import type { SignatureClaim } from '@careledger/primitives';
import { BATCH_SIGNATURES, isWellFormed, packClaims, verifyWithSodium } from './verify-batch.ts';
import type { BatchReply, BatchRequest } from './worker.ts';

const WORKERS = 2;
/** Fewer are checked on the spot: crossing to a worker and back costs more than this many verifications. */
const INLINE_MAX = 2;

/** Who waits for an answer, and for which signatures. */
interface Asked {
  readonly claims: readonly SignatureClaim[];
  readonly resolve: (holds: readonly boolean[]) => void;
  readonly reject: (fault: Error) => void;
}

interface Waiting {
  readonly resolve: (verdicts: Uint8Array) => void;
  readonly reject: (fault: Error) => void;
}

/** Ed25519 verification in two worker threads, 64 signatures in one transferred buffer. */
export class SignaturePool {
  readonly #workers: readonly Worker[];
  readonly #waiting = new Map<number, Waiting>();
  #asked: Asked[] = [];
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

  /**
   * Which of these signatures hold, in order. What is asked in one turn of the event loop is checked together, so that
   * many who ask for one signature each still share whole batches.
   * @throws when a worker has died: the node must stop.
   */
  verify(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    if (claims.length === 0) return Promise.resolve([]);
    if (this.#fault) return Promise.reject(this.#fault);
    return new Promise((resolve, reject) => {
      if (this.#asked.push({ claims, resolve, reject }) === 1) setImmediate(() => this.#checkAsked());
    });
  }

  async close(): Promise<void> {
    this.#fail(new Error('the signature workers are closed'));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #checkAsked(): void {
    const asked = this.#asked;
    this.#asked = [];
    const claims = asked.flatMap((one) => one.claims);
    this.#check(claims).then(
      (verdicts) => {
        let offset = 0;
        for (const one of asked) {
          one.resolve(verdicts.slice(offset, offset + one.claims.length));
          offset += one.claims.length;
        }
      },
      (fault: Error) => {
        for (const { reject } of asked) reject(fault);
      },
    );
  }

  async #check(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    // One that cannot be packed never holds, and must not keep the others from the workers.
    const packable = claims.filter(isWellFormed);
    if (packable.length <= INLINE_MAX) return claims.map(verifyWithSodium);
    const batches: Promise<Uint8Array>[] = [];
    for (let start = 0; start < packable.length; start += BATCH_SIGNATURES) {
      batches.push(this.#send(packable.slice(start, start + BATCH_SIGNATURES)));
    }
    const held = (await Promise.all(batches)).flatMap((verdicts) => [...verdicts]).values();
    return claims.map((claim) => isWellFormed(claim) && held.next().value === 1);
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
