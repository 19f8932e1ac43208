import { ASSERTION_ALGORITHMS } from './provider-configuration.ts';

/** What `[base]/.well-known/smart-configuration` answers (SMART App Launch 2, conformance). */
export interface SmartConfiguration {
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly token_endpoint: string;
  readonly grant_types_supported: readonly string[];
  readonly token_endpoint_auth_methods_supported: readonly string[];
  readonly token_endpoint_auth_signing_alg_values_supported: readonly string[];
  readonly scopes_supported: readonly string[];
  readonly response_types_supported: readonly string[];
  readonly code_challenge_methods_supported: readonly string[];
  readonly capabilities: readonly string[];
  /** RFC 8705, section 3.3. */
  readonly tls_client_certificate_bound_access_tokens: boolean;
}

/** Backend Services is what stands here; the launch capabilities are announced when they exist. */
export function smartConfiguration(options: {
  readonly issuer: string;
  readonly tokenEndpoint: string;
}): SmartConfiguration {
  return {
    issuer: options.issuer,
    jwks_uri: `${options.issuer}/jwks`,
    token_endpoint: options.tokenEndpoint,
    grant_types_supported: ['client_credentials'],
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    scopes_supported: ['system/*.cruds', 'system/*.rs', 'user/*.cruds', 'patient/*.cruds'],
    response_types_supported: [],
    code_challenge_methods_supported: ['S256'],
    capabilities: ['client-confidential-asymmetric', 'permission-v1', 'permission-v2'],
    tls_client_certificate_bound_access_tokens: true,
  };
}
