import type { FastifyReply } from 'fastify';
import type { SendBody } from './custodian/release-desk.ts';

const HEADERS = { 'content-type': 'application/fhir+json; charset=utf-8', 'cache-control': 'no-store' };

/**
 * Hands a body to the socket in this very turn of the event loop: nothing stands between the last look at the clock and
 * the write. What the socket has not taken by `before` is cut off, so that a slow reader holds no lock for longer; one
 * that hung up before is told by no event any more, and holds none at all.
 */
export function socketSender(reply: FastifyReply, now: () => number): SendBody {
  return (body, before) =>
    new Promise((resolve, reject) => {
      const { raw } = reply.hijack();
      if (raw.destroyed) {
        reject(new Error('the socket closed before the body was ready'));
        return;
      }
      const cut = setTimeout(() => raw.destroy(), Math.max(0, before - now()));
      raw.once('finish', resolve);
      raw.once('close', () => {
        clearTimeout(cut);
        if (raw.writableFinished) resolve();
        else reject(new Error('the socket closed before the body was taken'));
      });
      raw.writeHead(200, { ...HEADERS, 'content-length': body.length });
      raw.end(body);
    });
}
