import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyInForce } from '@careledger/capabilities';
import { verifyAccessToken } from '@careledger/ledger';
import { type OrganizationId, type PublicKey, toHex } from '@careledger/primitives';
import type { FastifyRequest } from 'fastify';
import { NodeError } from '../errors.ts';
import type { RunningNode } from '../running-node.ts';
import { verifyWithSodium } from '../signatures/verify-batch.ts';
import { AccessJournal } from './access-journal.ts';

/** The file in the node's folder that holds the local operator's token. */
export const OPERATOR_TOKEN_FILE = 'operator-token';
const OPERATOR_TOKEN_BYTES = 32;

/**
 * What a route asks of its caller. `open`: what anyone needs to verify evidence, and nothing of what the ledger holds.
 * `append`: the transaction itself shows the permission, by the key that signed it. `operate`: this node's operator.
 */
export type Access = 'open' | 'read' | 'append' | 'operate';

/** Who asks. A member is whoever holds a key that is in force. */
export type Caller =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'operator' }
  | { readonly kind: 'member'; readonly organization: OrganizationId; readonly publicKey: PublicKey };

interface JudgedCaller {
  readonly caller: Caller;
  /** Why what was shown proves nothing. */
  readonly problem?: string;
}

const HELP =
  'Send `Authorization: Bearer …` with the operator token of this node, or with an access token signed by a key in force.';

function denied(reason: string): NodeError {
  return new NodeError('access/denied', `this needs a permission: ${reason}`, HELP);
}

/** Decides who may read, and keeps a record of every call that was denied (LED-32). */
export class AccessDesk {
  readonly journal: AccessJournal;
  readonly #node: RunningNode;
  readonly #operatorDigest: Uint8Array;
  /** Each request is judged once. */
  readonly #judged = new WeakMap<FastifyRequest, JudgedCaller>();

  constructor(node: RunningNode) {
    this.#node = node;
    this.#operatorDigest = digestOf(operatorToken(node.options.folder));
    this.journal = new AccessJournal(node.options.folder);
  }

  /**
   * @returns Who asks.
   * @throws NodeError `access/denied`, after the denied call was put into the journal.
   */
  admit(request: FastifyRequest, access: Access): Caller {
    const { caller, problem } = this.#callerOf(request);
    const reason = reasonAgainst(caller, access, problem);
    if (reason === undefined) return caller;
    this.record(request, { access, reason, caller });
    throw denied(reason);
  }

  /** Under which name a caller's requests are counted: a token that is not good counts for its address. */
  nameOf(request: FastifyRequest): string {
    const { caller } = this.#callerOf(request);
    if (caller.kind === 'member') return `key ${toHex(caller.publicKey)}`;
    return caller.kind === 'operator' ? 'operator' : `address ${request.ip}`;
  }

  /** Puts a denied call into the journal. */
  record(
    request: FastifyRequest,
    call: {
      readonly access: Access;
      readonly reason: string;
      readonly caller?: Caller;
      readonly key?: Uint8Array;
    },
  ): void {
    const { access, reason, caller, key } = call;
    const member = caller?.kind === 'member' ? caller : undefined;
    const publicKey = key ?? member?.publicKey;
    this.journal.append({
      time: Date.now(),
      permission: access,
      method: request.method,
      route: request.routeOptions.url ?? '',
      reason,
      ...(member && { organization: member.organization }),
      ...(publicKey && { publicKey: toHex(publicKey) }),
    });
  }

  #callerOf(request: FastifyRequest): JudgedCaller {
    const judged = this.#judged.get(request) ?? this.#judge(request);
    this.#judged.set(request, judged);
    return judged;
  }

  #judge(request: FastifyRequest): JudgedCaller {
    const { authorization } = request.headers;
    const anyone: Caller = { kind: 'anyone' };
    if (authorization === undefined) return { caller: anyone };
    const token = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1];
    if (token === undefined) return { caller: anyone, problem: 'the authorization is no bearer token' };
    if (timingSafeEqual(digestOf(token), this.#operatorDigest)) return { caller: { kind: 'operator' } };
    const { chainId: chain, options, chain: ledger } = this.#node;
    const claim = verifyAccessToken({
      token,
      chain,
      node: options.node,
      now: Date.now(),
      verifySignature: verifyWithSodium,
    });
    if (!claim.ok) return { caller: anyone, problem: `the token is not good: ${claim.error}` };
    const { publicKey } = claim.value;
    const key = keyInForce(ledger.store.index.state, publicKey);
    if (!key) return { caller: anyone, problem: 'the key of the token is not in force' };
    return { caller: { kind: 'member', organization: key.organization, publicKey } };
  }
}

function reasonAgainst(caller: Caller, access: Access, problem: string | undefined): string | undefined {
  if (access === 'open' || access === 'append' || caller.kind === 'operator') return undefined;
  if (caller.kind === 'anyone') return problem ?? 'no token was shown';
  return access === 'operate' ? 'only the operator of this node may ask this' : undefined;
}

/** Digests of one length, compared in constant time: a token is not found out byte by byte. */
function digestOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

/** The local operator's token, made at the first start and readable by the node's own user alone. */
function operatorToken(folder: string): string {
  const path = join(folder, OPERATOR_TOKEN_FILE);
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    const token = randomBytes(OPERATOR_TOKEN_BYTES).toString('hex');
    writeFileSync(path, `${token}\n`, { mode: 0o600, flush: true });
    return token;
  }
}
