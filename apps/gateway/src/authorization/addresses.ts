/** Where the authorization server is mounted. */
export const OAUTH_PATH = '/oauth';

/** The FHIR base of a gateway: what its access tokens are for. */
export function fhirBaseOf(origin: string): string {
  return `${origin}/fhir/R4`;
}

/** The token endpoint of a gateway: where assertions go, and their audience. */
export function tokenEndpointOf(origin: string): string {
  return `${origin}${OAUTH_PATH}/token`;
}
