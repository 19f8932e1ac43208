export { authorizationEndpointOf, fhirBaseOf, tokenEndpointOf } from './addresses.ts';
export type { AssertionExtensions, Hl7B2b } from './assertion-claims.ts';
export { type Authenticate, type Credentials, requireAllowed } from './authenticate.ts';
export {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  createAuthorizationServer,
} from './authorization-server.ts';
export {
  type AppRegistration,
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
export { allowOrigins } from './cors.ts';
export { AuthorizationError, TokenRequestError } from './errors.ts';
export type { PatientDirectory, PatientTerms } from './interactions.ts';
export { generatePrivateJwk, publicJwkOf, readOrCreatePrivateJwk } from './keys.ts';
export { ACCESS_TOKEN_SECONDS } from './limits.ts';
export type { PatientEntry } from './pages/pages.ts';
export {
  type AccessToken,
  mutualTlsAgent,
  requestToken,
  signAssertion,
  type TokenRequest,
} from './request-token.ts';
export { isRole, ROLES, type Role } from './roles.ts';
export { formatScope, grantScopes, type Interaction, isAllowed, parseScope } from './scopes.ts';
export { changeUsers, type NewUser, type UserSummary, usersOfFile } from './users/change-users.ts';
export { hashPassword } from './users/passwords.ts';
export type { RegisteredUser } from './users/users.ts';
