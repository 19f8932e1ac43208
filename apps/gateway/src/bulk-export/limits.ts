/** Every limit of bulk exports. Times in milliseconds. */

/** Jobs that one caller may have at a time, finished ones included. */
export const JOBS_PER_CALLER_MAX = 5;
/** Jobs of all callers together. */
export const JOBS_MAX = 100;
/** A job and its files are there for so long after they were asked for. */
export const JOB_MS_MAX = 24 * 3_600_000;
/** Record versions of one file. */
export const FILE_RECORDS_MAX = 10_000;
/** Record versions of one job: what is beyond is refused, not cut off. */
export const JOB_RECORDS_MAX = 5_000_000;
/** Types that `_type` may list. */
export const TYPES_MAX = 150;
/** Searches that `_typeFilter` may list. */
export const TYPE_FILTERS_MAX = 32;
/** Patients that a Group or the `patient` parameter may name. */
export const PATIENTS_MAX = 10_000;
/** Rows that one step of listing looks at; other requests are answered between steps. */
export const LISTING_ROWS = 500;
/** Record versions that are journalled, then written, together. */
export const CHUNK_RECORDS = 200;
/** What a caller should wait between two looks at a job, in seconds. */
export const POLL_SECONDS = 1;
