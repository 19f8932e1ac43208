import type { EventStreams } from './event-streams.ts';
import { JSON_TYPE } from './parameters.ts';
import type { RouteOptions } from './routes.ts';

/** Transaction types that one stream can be narrowed to. */
const TYPES_CHARACTERS_MAX = 1_000;
const EVENT_ID = { type: 'string', maxLength: 64 };

/** Server-sent events. */
export function eventRoutes(streams: EventStreams): readonly RouteOptions[] {
  return [
    {
      method: 'GET',
      path: '/events',
      summary:
        'Server-sent events: each final block once and in order (`block`), and a `heartbeat` while nothing is sealed. The id names chain and height; Last-Event-ID (or `after`) goes on behind it from any distance. `types` leaves only transactions of these types.',
      access: 'read',
      query: {
        after: EVENT_ID,
        types: { type: 'string', maxLength: TYPES_CHARACTERS_MAX, pattern: '^[a-z0-9@/-]+(,[a-z0-9@/-]+)*$' },
      },
      headers: { 'Last-Event-ID': EVENT_ID },
      answers: ['text/event-stream', JSON_TYPE],
      handler: (request, reply) => {
        const { after, types } = request.query as { readonly after?: string; readonly types?: string };
        const lastId = request.headers['last-event-id'];
        const stream = streams.prepare({
          after: typeof lastId === 'string' ? lastId : after,
          types: types?.split(','),
        });
        reply.hijack();
        stream.run(reply.raw);
      },
    },
  ];
}
