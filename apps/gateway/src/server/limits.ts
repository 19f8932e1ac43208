/** Every limit of the gateway's HTTP surface. Sizes in bytes, times in milliseconds. */

/** One request body: a large transaction bundle; larger loads go through the import, which reads files. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Nesting of a JSON body. FHIR's deepest real resources stay below 30. */
export const JSON_DEPTH_MAX = 64;
/** A form body: a search by POST. */
export const FORM_BYTES_MAX = 64 * 1024;
export const HEADER_BYTES_MAX = 16 * 1024;
export const URL_BYTES_MAX = 8 * 1024;
export const HEADERS_MS_MAX = 5_000;
/** How long a request may take to arrive. */
export const REQUEST_MS_MAX = 10_000;
/** The same for a document: 200 MiB in ten minutes are 2.8 Mbit/s. */
export const DOCUMENT_MS_MAX = 10 * 60_000;
export const KEEP_ALIVE_MS = 5_000;
export const CONNECTIONS_CHECK_MS = 1_000;
export const CONNECTIONS_MAX = 1_024;
export const REQUESTS_PER_CONNECTION_MAX = 10_000;
/** What a shutdown leaves to requests under way. */
export const SHUTDOWN_MS_MAX = 5_000;
/** Requests of one caller in a second: far above what a clinician or an interface engine needs, below what floods. */
export const CALLER_REQUESTS_PER_SECOND_MAX = 5_000;
/** Requests without a valid token from one address in a minute. */
export const REFUSED_PER_MINUTE_MAX = 120;
/** Requests being answered at a time. */
export const IN_FLIGHT_MAX = 512;
