/** Where the authorization server is mounted. */
export const OAUTH_PATH = '/oauth';

/** The authorization server's addresses, below {@link OAUTH_PATH}. */
export const OAUTH_ROUTES = {
  authorization: '/authorize',
  token: '/token',
  introspection: '/introspect',
  revocation: '/revoke',
  jwks: '/jwks',
  end_session: '/sign-out',
} as const;

/** Sign-in, patient and consent pages: `/oauth/interaction/<uid>`. */
export const INTERACTION_PATH = `${OAUTH_PATH}/interaction`;
/** Where an EHR makes a launch. */
export const LAUNCH_PATH = `${OAUTH_PATH}/launch`;
export const STYLE_PATH = `${OAUTH_PATH}/style.css`;

/** The FHIR base of a gateway: what its access tokens are for. */
export function fhirBaseOf(origin: string): string {
  return `${origin}/fhir/R4`;
}

/** Where a person's browser is sent to sign in. */
export function authorizationEndpointOf(origin: string): string {
  return `${origin}${OAUTH_PATH}${OAUTH_ROUTES.authorization}`;
}

/** The token endpoint of a gateway: where assertions go, and their audience. */
export function tokenEndpointOf(origin: string): string {
  return `${origin}${OAUTH_PATH}${OAUTH_ROUTES.token}`;
}
