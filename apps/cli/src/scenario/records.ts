import { verifyReceiptFile } from '@careledger/client';
import { fromBase64Url, fromHex, utf8, verifySignature } from '@careledger/primitives';
import type { GatewaySession, Json, JsonObject } from './gateway-session.ts';
import { until, type World } from './world.ts';

const RECEIPT_WITHIN_MILLISECONDS = 10_000;

/** Resources of a searchset or history, without what the server added. */
export function resourcesOf(bundle: JsonObject): readonly JsonObject[] {
  const entries = (bundle.entry ?? []) as readonly JsonObject[];
  return entries.flatMap((entry) => (entry.resource === undefined ? [] : [entry.resource as JsonObject]));
}

export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** The trusted genesis hash: everything else is verified. */
export function trustOf(world: World) {
  const expectedChain = fromHex(world.consortium.chain);
  if (!expectedChain) throw new Error('the chain id is not hexadecimal');
  return { expectedChain, verifySignature };
}

export interface ReceiptOutcome {
  /** What a `.receipt` file holds. */
  readonly bytes: Uint8Array;
  readonly held: boolean;
  readonly problem: string;
}

/**
 * Fetches the receipt of one version and verifies it offline: that a final block holds the commitment of exactly these
 * bytes.
 */
export async function fetchReceipt(
  world: World,
  session: GatewaySession,
  version: { readonly type: string; readonly id: string; readonly version: number },
): Promise<ReceiptOutcome> {
  const path = `${version.type}/${version.id}`;
  const ask = () => session.send(`/v1/records/${path}/versions/${version.version}/receipt`);
  let receipt = await ask();
  // 503: stored, and not anchored yet.
  await until(async () => {
    if (receipt.status === 503) receipt = await ask();
    return receipt.status !== 503;
  }, RECEIPT_WITHIN_MILLISECONDS);
  if (receipt.status !== 200) throw new Error(`the receipt was refused with ${receipt.status}`);
  const record = await session.send(`${path}/_history/${version.version}`);
  const salt = fromBase64Url(String(receipt.headers['careledger-salt'] ?? ''));
  const verified = verifyReceiptFile(receipt.body, {
    ...trustOf(world),
    ...(salt ? { opening: { salt, record: utf8(record.text) } } : {}),
  });
  const problem = verified.ok ? '' : verified.error.code;
  return { bytes: receipt.body, held: verified.ok && salt !== undefined, problem };
}
