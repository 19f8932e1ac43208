import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, type Logger, pino } from 'pino';
import type { LogLevel } from './options.ts';

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** A log that can be closed: what was written is in the file afterwards. */
export interface LogFile {
  readonly log: Log;
  readonly close: () => void;
}

/** JSON lines in a file, or nowhere. The node never sees patient data; keys and bodies are not logged either. */
export function openLog(options: { readonly path: string; readonly level?: LogLevel } | undefined): LogFile {
  if (!options) return { log: pino({ level: 'silent' }), close: () => undefined };
  mkdirSync(dirname(options.path), { recursive: true });
  const file = destination({ dest: options.path, sync: true });
  const log = pino(
    { level: options.level ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    file,
  );
  return { log, close: () => file.end() };
}
