import { hash } from 'node:crypto';
import type { JWTPayload } from 'jose';

/** Tokens that are remembered. */
const TOKENS_MAX = 1_024;

/**
 * What tokens say whose signature was checked, until they expire: a client sends the same one with every request, and
 * checking a signature costs more than most requests. Kept by the token's hash, so that no token can be read here.
 */
export class VerifiedTokens {
  readonly #payloads = new Map<string, JWTPayload>();
  readonly #now: () => number;
  readonly #verify: (token: string) => Promise<JWTPayload>;

  /**
   * @param now Milliseconds.
   * @param verify Checks signature and claims, and throws what is wrong with them.
   */
  constructor(now: () => number, verify: (token: string) => Promise<JWTPayload>) {
    this.#now = now;
    this.#verify = verify;
  }

  /** @throws what `verify` throws: a token that is not good is asked about each time. */
  async payloadOf(token: string): Promise<JWTPayload> {
    const key = hash('sha256', token, 'base64');
    const known = this.#payloads.get(key);
    if (known && this.#isInForce(known)) return known;
    this.#payloads.delete(key);
    const payload = await this.#verify(token);
    this.#payloads.set(key, payload);
    if (this.#payloads.size > TOKENS_MAX) {
      const oldest = this.#payloads.keys().next().value;
      if (oldest !== undefined) this.#payloads.delete(oldest);
    }
    return payload;
  }

  #isInForce({ exp, nbf }: JWTPayload): boolean {
    const seconds = Math.floor(this.#now() / 1_000);
    return exp !== undefined && exp > seconds && (nbf === undefined || nbf <= seconds);
  }
}
