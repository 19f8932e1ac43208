/** Signature algorithms of client assertions (SMART App Launch 2, asymmetric client authentication). */
export const ASSERTION_ALGORITHMS = ['ES384', 'RS384'] as const;
/** The signature algorithm of access tokens. */
export const TOKEN_ALGORITHM = 'ES256';
/** The signature algorithm of id tokens (OpenID Connect Core, section 15.1: the one that every client knows). */
export const ID_TOKEN_ALGORITHM = 'RS256';
