import { type Gateway, importResources } from '@careledger/gateway';
import type { LedgerNode } from '@careledger/node';
import { toHex } from '@careledger/primitives';
import { CliError } from '../errors.ts';
import type { MemberRequest } from './messages.ts';
import { tamperVaultCopy } from './tamper-vault-copy.ts';

interface Member {
  readonly node: LedgerNode;
  readonly gateway: Gateway;
}

type Handler = (
  member: Member,
  parameters: MemberRequest['parameters'],
  onProgress: (done: number, total: number) => void,
) => Promise<unknown>;

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
  import: async ({ gateway }, parameters, onProgress) =>
    importResources({
      path: textOf(parameters, 'path'),
      source: textOf(parameters, 'source'),
      target: gateway.importTarget(),
      onProgress: ({ created, updated, unchanged, refused, read }) =>
        onProgress(created + updated + unchanged + refused, read),
    }),
};

export function handleRequest(
  member: Member,
  request: MemberRequest,
  onProgress: (done: number, total: number) => void,
): Promise<unknown> {
  const handler = HANDLERS[request.method];
  if (handler) return handler(member, request.parameters, onProgress);
  throw new CliError(
    'member/request',
    `There is no request ${request.method}.`,
    'This is a fault of the starting program.',
  );
}
