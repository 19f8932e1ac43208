/** Every limit of documents over HTTP, beside the vault's DOCUMENT_BYTES_MAX. Sizes in bytes. */

/** A document up to this size is put into its Binary when somebody asks for the resource. */
export const INLINE_BYTES_MAX = 1024 * 1024;
/** Documents being stored at a time: each holds a chunk in memory. */
export const UPLOADS_MAX = 32;
export const CONTENT_TYPE_BYTES_MAX = 256;
