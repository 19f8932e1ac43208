import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  fileSource,
  type Gateway,
  type ImportSource,
  isSourceAddress,
  serverSource,
  sourceAddress,
} from '@careledger/gateway';
import { sha256, toHex, utf8 } from '@careledger/primitives';
import { Agent } from 'undici';
import { CliError } from '../errors.ts';

/** Where an import reads, as a verb says it. The token itself goes from process to process, never over a command line. */
export interface SourceParameters {
  /** A path, or the base URL of a FHIR server. */
  readonly from: string;
  /** What the data is known by; the file's name or the server's address by default. */
  readonly source?: string;
  readonly token?: string;
  /** Read before every request, so that a token can be renewed while an import runs. */
  readonly tokenFile?: string;
  /** Certificate authority of the server, PEM, where it is none of the system's. */
  readonly caFile?: string;
}

/** A source, and what to close when it was read. */
export interface OpenSource {
  readonly source: ImportSource;
  readonly close: () => Promise<void>;
}

const CONNECT_MS_MAX = 10_000;

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CliError('cli/file', `${file} cannot be read.`, 'Check its name and its mode.', { cause });
  }
}

/**
 * Opens a source for a member. Its progress is kept below the gateway's folder, one file for each server.
 *
 * @param options.remembers False for a look that must see everything and leave nothing: drift.
 */
export function openSource(
  gateway: Gateway,
  parameters: SourceParameters,
  options: { readonly remembers: boolean; readonly signal?: AbortSignal },
): OpenSource {
  const { from, source, token, tokenFile, caFile } = parameters;
  if (!isSourceAddress(from)) {
    const path = resolve(from);
    return { source: fileSource({ path, source: source ?? basename(path) }), close: async () => undefined };
  }
  const { href: url } = sourceAddress(from);
  const state = join(gateway.context.folder, 'import', `${toHex(sha256(utf8(url))).slice(0, 32)}.json`);
  const dispatcher = new Agent({
    connect: { ...(caFile === undefined ? {} : { ca: readText(caFile) }), minVersion: 'TLSv1.2' },
    connectTimeout: CONNECT_MS_MAX,
  });
  const read = serverSource({
    ...{ url, dispatcher, wait: (milliseconds: number) => wait(milliseconds) },
    ...(source === undefined ? {} : { source }),
    ...(options.remembers ? { stateFile: state } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
    token: () => (tokenFile === undefined ? token : readText(tokenFile).trim()),
  });
  return { source: read, close: () => dispatcher.destroy() };
}
