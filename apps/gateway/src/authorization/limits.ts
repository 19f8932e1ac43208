/** What every token, session and attempt of the authorization server is bounded by. Seconds unless the name says else. */

/** An access token (SMART Backend Services: at most five minutes). */
export const ACCESS_TOKEN_SECONDS = 300;
/** An authorization code: used once, and soon. */
export const CODE_SECONDS = 60;
/** From the sign-in page to the app. */
export const INTERACTION_SECONDS = 15 * 60;
/** A signed-in user's session: one working day, not prolonged by use. `online_access` ends with it. */
export const SESSION_SECONDS = 8 * 60 * 60;
/** An `offline_access` refresh token and what was granted with it, from the consent on: rotation does not prolong it. */
export const GRANT_SECONDS = 90 * 24 * 60 * 60;
/** An id token. */
export const ID_TOKEN_SECONDS = 300;
/** An EHR's launch value: from the click in the chart to the app's approval. */
export const LAUNCH_SECONDS = 5 * 60;

/** The furthest ahead an assertion may expire (SMART Backend Services: five minutes). */
export const ASSERTION_SECONDS_MAX = 300;
/** The largest difference between two members' clocks. */
export const CLOCK_SKEW_SECONDS = 1;

/** Wrong passwords for one name before it is locked. */
export const NAME_FAILURES_MAX = 5;
/** Wrong passwords from one address, whatever the names. */
export const ADDRESS_FAILURES_MAX = 50;
/** How long failures count, and how long a lock holds. */
export const FAILURE_WINDOW_SECONDS = 15 * 60;
/** Password checks under way at once: each takes 32 MiB. */
export const PASSWORD_CHECKS_MAX = 4;
export const PASSWORD_CHARACTERS_MAX = 128;

/** A form or JSON body of the pages and the launch endpoint. */
export const FORM_BYTES_MAX = 16 * 1024;
/** Patients shown by one search of the picker. */
export const PATIENTS_SHOWN_MAX = 20;
/** How often expired rows are deleted. */
export const PURGE_SECONDS = 60;
