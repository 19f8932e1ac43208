export {
  type AccessToken,
  type AssertionExtensions,
  AuthorizationError,
  type ClientRegistry,
  clientRegistry,
  fhirBaseOf,
  generatePrivateJwk,
  type Hl7B2b,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  OPERATOR_SCOPES,
  ORGANIZATION_SCOPES,
  publicJwkOf,
  type RegisteredClient,
  readOrCreatePrivateJwk,
  requestToken,
  TokenRequestError,
  tokenEndpointOf,
} from './authorization/index.ts';
export type { Caller, Scope } from './caller.ts';
export { certificateThumbprint, type TlsIdentity } from './tls/index.ts';
