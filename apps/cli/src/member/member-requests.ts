import { dirname } from 'node:path';
import { findDrift, type Gateway, importFrom, KeystoreError, type RotatedKeys } from '@careledger/gateway';
import type { LedgerNode } from '@careledger/node';
import { toHex } from '@careledger/primitives';
import { homePaths } from '../consortium/member-config.ts';
import { CliError } from '../errors.ts';
import { openSource, type SourceParameters } from './member-source.ts';
import type { MemberRequest } from './messages.ts';
import { tamperVaultCopy } from './tamper-vault-copy.ts';

interface Member {
  readonly node: LedgerNode;
  readonly gateway: Gateway;
}

/** Who waits for an answer, and is told on the way. */
export interface Watch {
  readonly onProgress: (done: number, total: number) => void;
  /** One result of many, as soon as it is known. */
  readonly onItem?: (item: unknown) => void;
  /** Ends long work between two steps. */
  readonly signal?: AbortSignal;
}

type Handler = (member: Member, parameters: MemberRequest['parameters'], watch: Watch) => Promise<unknown>;

function textOf(parameters: MemberRequest['parameters'], name: string): string {
  const value = parameters[name];
  if (typeof value === 'string') return value;
  throw new CliError(
    'member/request',
    `The request has no ${name}.`,
    'This is a fault of the starting program.',
  );
}

/** What a member's own operator may ask its process for, beside the APIs that everybody has. */
const HANDLERS: Readonly<Record<string, Handler>> = {
  status: async ({ node }) => {
    const { height, headerHash, stateRoot, engineHeight, peers, halted } = node.status();
    return {
      height,
      engineHeight,
      headerHash: toHex(headerHash),
      stateRoot: toHex(stateRoot),
      peers: peers.filter((peer) => peer.connected).length,
      halted: halted ?? null,
    };
  },
  outbox: async ({ gateway }) => gateway.metrics(),
  'tamper-vault-copy': async ({ gateway }) => tamperVaultCopy(gateway),
  'rotate-keys': async ({ gateway }, parameters) => {
    const keys = keysOf(textOf(parameters, 'keys'));
    const report = await gateway.keys.rotate(keys);
    if (typeof keys === 'object' && report.rotated + report.unfinished === 0) {
      throw new KeystoreError('keystore/no-key', 'there is no key of that patient');
    }
    return report;
  },
  'rotate-master-key': async ({ gateway }) => {
    const path = homePaths(dirname(gateway.context.folder)).keystoreSecret;
    await gateway.keys.rotateMaster({ kind: 'key-file', path });
    return null;
  },
  'back-up-keys': async ({ gateway }, parameters) => gateway.keys.backUp(textOf(parameters, 'path')),
  import: async ({ gateway }, parameters, { onProgress, signal }) => {
    const { source, close } = openSource(gateway, sourceOf(parameters), { remembers: true, ...only(signal) });
    try {
      return await importFrom(source, {
        target: gateway.importTarget(),
        onProgress: ({ created, updated, unchanged, refused, read }) =>
          onProgress(created + updated + unchanged + refused, read),
        ...only(signal),
      });
    } finally {
      await close();
    }
  },
  drift: async ({ gateway }, parameters, { onProgress, onItem, signal }) => {
    const { source, close } = openSource(gateway, sourceOf(parameters), {
      remembers: false,
      ...only(signal),
    });
    try {
      const target = gateway.importTarget();
      return await findDrift(source, {
        target,
        onProgress,
        ...(onItem ? { onDrift: onItem } : {}),
        ...only(signal),
      });
    } finally {
      await close();
    }
  },
};

/** `all`, `organization`, or `Patient/<id>`. */
function keysOf(text: string): RotatedKeys {
  return text === 'all' || text === 'organization' ? text : { patient: text.replace(/^Patient\//, '') };
}

function only(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal ? { signal } : {};
}

const SOURCE_PARAMETERS = ['source', 'token', 'tokenFile', 'caFile'] as const;

function sourceOf(parameters: MemberRequest['parameters']): SourceParameters {
  const given = SOURCE_PARAMETERS.filter((name) => parameters[name] !== undefined);
  const others = Object.fromEntries(given.map((name) => [name, textOf(parameters, name)]));
  return { from: textOf(parameters, 'from'), ...others };
}

export function handleRequest(
  member: Member,
  request: Pick<MemberRequest, 'method' | 'parameters'>,
  watch: Watch,
): Promise<unknown> {
  const handler = Object.hasOwn(HANDLERS, request.method) ? HANDLERS[request.method] : undefined;
  if (handler) return handler(member, request.parameters, watch);
  throw new CliError(
    'member/request',
    `There is no request ${request.method}.`,
    'This is a fault of the starting program.',
  );
}
