export { fhirBaseOf, tokenEndpointOf } from './addresses.ts';
export type { AssertionExtensions, Hl7B2b } from './assertion-claims.ts';
export { type Authenticate, type Credentials, requireAllowed } from './authenticate.ts';
export {
  ACCESS_TOKEN_SECONDS,
  type AuthorizationServer,
  type AuthorizationServerOptions,
  createAuthorizationServer,
} from './authorization-server.ts';
export {
  type ClientKind,
  type ClientRegistry,
  clientRegistry,
  firstOf,
  LOCAL_OPERATOR,
  OPERATOR_SCOPES,
  ORGANIZATION_SCOPES,
  type RegisteredClient,
  readClientRegistry,
} from './clients.ts';
export { AuthorizationError, TokenRequestError } from './errors.ts';
export { generatePrivateJwk, publicJwkOf, readOrCreatePrivateJwk } from './keys.ts';
export {
  type AccessToken,
  mutualTlsAgent,
  requestToken,
  signAssertion,
  type TokenRequest,
} from './request-token.ts';
export { formatScope, grantScopes, type Interaction, isAllowed, parseScope } from './scopes.ts';
