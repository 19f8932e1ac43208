import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Caller } from '../caller.ts';
import { HttpError } from './error-answers.ts';
import * as limits from './limits.ts';

/** How much is taken from whom. The defaults suit one member's gateway; an operator may set others. */
export interface RateLimits {
  /** Requests of one caller (organization, kind and subject of the token) in a second. */
  readonly callerRequestsPerSecondMax: number;
  /** Requests without a valid token from one address in a minute, before it is told to wait. */
  readonly refusedPerMinuteMax: number;
  /** Requests that are being answered at a time, of all callers. */
  readonly inFlightMax: number;
}

export const RATE_LIMITS: RateLimits = {
  callerRequestsPerSecondMax: limits.CALLER_REQUESTS_PER_SECOND_MAX,
  refusedPerMinuteMax: limits.REFUSED_PER_MINUTE_MAX,
  inFlightMax: limits.IN_FLIGHT_MAX,
};

const SECOND = 1;
const MINUTE = 60;

function tooMany(left: Pick<RateLimiterRes, 'msBeforeNext'>): HttpError {
  return new HttpError({
    status: 429,
    code: 'request/too-many',
    message: 'There are more requests than this server answers at a time.',
    help: 'Wait as long as Retry-After says.',
    retryAfterSeconds: Math.max(1, Math.ceil(left.msBeforeNext / 1_000)),
  });
}

function busy(): HttpError {
  return new HttpError({
    status: 503,
    code: 'server/busy',
    message: 'The server is answering as many requests as it can.',
    help: 'Wait as long as Retry-After says.',
    retryAfterSeconds: 1,
  });
}

/** Keeps one caller, or one address without a token, from taking what all others need (SEC-15). */
export class RateLimiter {
  readonly #callers: RateLimiterMemory;
  readonly #refused: RateLimiterMemory;
  readonly #inFlightMax: number;
  #inFlight = 0;

  constructor(options: RateLimits) {
    this.#inFlightMax = options.inFlightMax;
    this.#callers = new RateLimiterMemory({ points: options.callerRequestsPerSecondMax, duration: SECOND });
    this.#refused = new RateLimiterMemory({ points: options.refusedPerMinuteMax, duration: MINUTE });
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Counts requests in and out. Registered before the token is looked at. */
  countRequests(app: FastifyInstance): void {
    const counted = new WeakSet<FastifyRequest>();
    app.addHook('onRequest', async (request, reply) => {
      if (this.#inFlight >= this.#inFlightMax) throw busy();
      this.#inFlight += 1;
      counted.add(request);
      // Not `onResponse`: that one is not called for a caller who hung up.
      reply.raw.once('close', () => {
        if (counted.delete(request)) this.#inFlight -= 1;
      });
    });
  }

  /**
   * Notes that a request from this address carried no valid token. Others behind the same address, whose tokens hold,
   * are not made to wait for it.
   *
   * @throws {@link HttpError} 429 once there were too many.
   */
  async noteRefused(address: string): Promise<void> {
    await this.#take(this.#refused, address);
  }

  /** @throws {@link HttpError} 429 for a caller who asks too often. */
  async requireCaller({ organization, kind, subject }: Caller): Promise<void> {
    await this.#take(this.#callers, `${organization}/${kind}/${subject}`);
  }

  async #take(limiter: RateLimiterMemory, key: string): Promise<void> {
    try {
      await limiter.consume(key);
    } catch (refusal) {
      if (refusal instanceof Error) throw refusal;
      throw tooMany(refusal as RateLimiterRes);
    }
  }
}
