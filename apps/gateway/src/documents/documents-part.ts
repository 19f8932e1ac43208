import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../caller.ts';
import type { GatewayContext, GatewayPart } from '../gateway.ts';
import { isDocumentUpload } from '../server/index.ts';
import { DocumentDownloads } from './download.ts';
import { DocumentUploads } from './upload.ts';

const BINARY = /^\/fhir\/R4\/Binary(?:\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/([1-9]\d{0,8}))?)?$/;

/** What documents are made of, for a gateway or a test. */
export type DocumentsContext = Pick<GatewayContext, 'store' | 'service' | 'vault'> & {
  readonly onFault: (error: unknown) => void;
  readonly bytesMax?: number;
};

/**
 * Large documents over FHIR's Binary: content of any type comes in and goes out as a stream. Another member's gateway
 * never comes this way: what it may have is decided in `exchange/`.
 */
export function documentsPart(context: DocumentsContext): GatewayPart {
  const { store, service, vault, onFault, bytesMax } = context;
  const { documents } = vault;
  const downloads = new DocumentDownloads({ store, documents, onFault });
  const uploads = new DocumentUploads({
    ...{ service, documents, ownBase: `${store.options.baseUrl}/` },
    ...(bytesMax === undefined ? {} : { bytesMax }),
  });
  const intercept = async (
    request: FastifyRequest,
    reply: FastifyReply,
    caller: Caller,
  ): Promise<boolean> => {
    const found = BINARY.exec(request.url.split('?', 1)[0] ?? '');
    if (!found || caller.kind === 'organization') return false;
    const [, id, version] = found;
    if (isDocumentUpload(request)) {
      await uploads.store({ request, reply, caller, id });
      return true;
    }
    if (!['GET', 'HEAD'].includes(request.method) || id === undefined) return false;
    return downloads.send({ request, reply, caller, id, version });
  };
  return { intercept };
}
