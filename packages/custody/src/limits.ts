/** The largest difference between two members' clocks that the consortium tolerates, in milliseconds. */
export const SKEW_MS = 1_000;
/** How far the newest final engine block may lie behind a custodian's clock when it releases, in milliseconds. */
export const HEAD_AGE_MS_MAX = 5_000;
/** How far it may lie ahead of that clock, in milliseconds. */
export const HEAD_AHEAD_MS_MAX = SKEW_MS;
/** A chunk may leave until its head's time plus this, in milliseconds. */
export const RELEASE_WINDOW_MS = 5_000;
/** A journal entry is anchored at most this long after it was written, in milliseconds. */
export const ANCHOR_WITHIN_MS = 5_000;
/** How long an introduction may live, in milliseconds: the patient has to carry it from one portal to another. */
export const INTRODUCTION_MS_MAX = 30 * 86_400_000;
/** Record versions in one chunk: a page of a search, or one document. */
export const CHUNK_RECORDS_MAX = 50;
/** Patients besides the one asked for whose records may share one chunk. */
export const CHUNK_SUBJECTS_MAX = 8;
/** Resource types named in one journal entry. */
export const CHUNK_TYPES_MAX = 16;
