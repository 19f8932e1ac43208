import type { ServerLog } from '@careledger/gateway';
import pino from 'pino';

/** The gateway's log: one JSON object a line, ids and codes only. Written at once, so that a crash loses no line. */
export function createGatewayLog(path: string): ServerLog {
  const log = pino({ level: 'info', base: null }, pino.destination({ dest: path, mkdir: true, sync: true }));
  return {
    info: (fields, message) => log.info(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}
