export { type DocumentsContext, documentsPart } from './documents-part.ts';
export { INLINE_BYTES_MAX, UPLOADS_MAX } from './limits.ts';
