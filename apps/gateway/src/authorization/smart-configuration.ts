import { LAUNCH_PATH, OAUTH_ROUTES } from './addresses.ts';
import { ASSERTION_ALGORITHMS } from './algorithms.ts';

/** The scopes beside those about resources (SMART App Launch 2, scopes and launch context). */
export const SMART_SCOPES = [
  'openid',
  'fhirUser',
  'profile',
  'launch',
  'launch/patient',
  'launch/encounter',
  'online_access',
  'offline_access',
] as const;
export type SmartScope = (typeof SMART_SCOPES)[number];

/** What `[base]/.well-known/smart-configuration` answers (SMART App Launch 2, conformance). */
export interface SmartConfiguration {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly introspection_endpoint: string;
  readonly revocation_endpoint: string;
  readonly end_session_endpoint: string;
  /** Our own: where an EHR makes a launch value. */
  readonly careledger_launch_endpoint: string;
  readonly grant_types_supported: readonly string[];
  readonly token_endpoint_auth_methods_supported: readonly string[];
  readonly token_endpoint_auth_signing_alg_values_supported: readonly string[];
  readonly scopes_supported: readonly string[];
  readonly response_types_supported: readonly string[];
  readonly code_challenge_methods_supported: readonly string[];
  readonly capabilities: readonly string[];
  /** RFC 9207. */
  readonly authorization_response_iss_parameter_supported: boolean;
  /** RFC 8705, section 3.3. */
  readonly tls_client_certificate_bound_access_tokens: boolean;
}

/** States what is served, and nothing that is not. */
export function smartConfiguration(options: {
  readonly issuer: string;
  readonly origin: string;
  readonly tokenEndpoint: string;
}): SmartConfiguration {
  const { issuer, origin, tokenEndpoint } = options;
  return {
    issuer,
    jwks_uri: `${issuer}${OAUTH_ROUTES.jwks}`,
    authorization_endpoint: `${issuer}${OAUTH_ROUTES.authorization}`,
    token_endpoint: tokenEndpoint,
    introspection_endpoint: `${issuer}${OAUTH_ROUTES.introspection}`,
    revocation_endpoint: `${issuer}${OAUTH_ROUTES.revocation}`,
    end_session_endpoint: `${issuer}${OAUTH_ROUTES.end_session}`,
    careledger_launch_endpoint: `${origin}${LAUNCH_PATH}`,
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'client_secret_basic', 'none'],
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    scopes_supported: [...SMART_SCOPES, 'patient/*.cruds', 'user/*.cruds', 'system/*.cruds', 'system/*.rs'],
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    capabilities: [
      'launch-ehr',
      'launch-standalone',
      'client-public',
      'client-confidential-asymmetric',
      'client-confidential-symmetric',
      'sso-openid-connect',
      'context-ehr-patient',
      'context-ehr-encounter',
      'context-banner',
      'context-standalone-patient',
      'permission-offline',
      'permission-online',
      'permission-patient',
      'permission-user',
      'permission-v1',
      'permission-v2',
    ],
    authorization_response_iss_parameter_supported: true,
    tls_client_certificate_bound_access_tokens: true,
  };
}
