/** The light half of the front door: fetching a token, without the FHIR definitions that a gateway brings along. */
export { fhirBaseOf, tokenEndpointOf } from './authorization/addresses.ts';
export type { AssertionExtensions } from './authorization/assertion-claims.ts';
export { LOCAL_OPERATOR } from './authorization/clients.ts';
export {
  type AccessToken,
  mutualTlsAgent,
  requestToken,
  type TokenRequest,
} from './authorization/request-token.ts';
