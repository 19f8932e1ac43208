import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { appScopes } from './app-scopes.ts';
import type { RegisteredClient } from './clients.ts';
import type { AppRules } from './provider-configuration.ts';
import type { AuthorizationStore } from './store/authorization-store.ts';

/** The one form of answer that is given: parameters in the redirect's query. */
const RESPONSE_MODE = 'query';

/** Claim of a token whose grant binds its app to one patient, beside that patient. */
export const BOUND_CLAIM = 'patient_bound';

/** The scopes that a code or refresh token was granted with, at the token endpoint. */
function scopesOfSource({ oidc }: KoaContextWithOIDC): string | undefined {
  const { AuthorizationCode: code, RefreshToken: token } = oidc.entities;
  return oidc.route === 'token' ? (code ?? token)?.scope : undefined;
}

function grantScopes(ctx: KoaContextWithOIDC, client: RegisteredClient): readonly string[] {
  const { params } = ctx.oidc;
  const granted = scopesOfSource(ctx);
  if (granted !== undefined) return appScopes(client, granted);
  const mode = params?.response_mode ?? RESPONSE_MODE;
  if (mode !== RESPONSE_MODE) throw new errors.InvalidRequest('the response mode is query');
  const asked = String(params?.scope ?? '');
  const scopes = appScopes(client, asked);
  if (scopes.length === 0) throw new errors.InvalidScope('none of the scopes can be granted', asked);
  if (params) params.scope = scopes.join(' ');
  return scopes;
}

/** SMART App Launch 2 as far as it goes beyond OpenID Connect: audience, launch, context. */
export function createAppRules(options: {
  readonly store: AuthorizationStore;
  readonly audience: string;
}): AppRules {
  const { store, audience } = options;
  return {
    grantScopes,
    checkAudience: (value) => {
      // SMART App Launch 2: or a counterfeit resource server gets a token that is good here.
      if (value === audience || value === `${audience}/`) return;
      throw new errors.InvalidRequest('aud is not the FHIR base URL of this server');
    },
    checkLaunch: async (ctx, value) => {
      const wants = String(ctx.oidc.params?.scope ?? '')
        .split(' ')
        .includes('launch');
      if (value === undefined && !wants) return;
      if (!wants || typeof value !== 'string') {
        throw new errors.InvalidRequest('the scope launch and the parameter launch belong together');
      }
      if (!(await store.findLaunch(value))) {
        throw new errors.InvalidRequest('the launch is unknown, used or too old');
      }
    },
    tokenClaims: async (subject, grantId) => {
      const { patient, encounter, isBound } = await store.grantContext(grantId);
      return {
        user: subject,
        ...(patient === undefined ? {} : { patient }),
        ...(encounter === undefined ? {} : { encounter }),
        ...(isBound ? { [BOUND_CLAIM]: true } : {}),
      };
    },
  };
}

/**
 * What SMART's token answer holds beside OAuth's: the launch context, and all scopes of the grant, `launch/patient` and
 * `offline_access` among them, by which an app learns what it may do.
 */
export async function completeTokenAnswer(store: AuthorizationStore, ctx: KoaContextWithOIDC): Promise<void> {
  const {
    Grant: grant,
    AuthorizationCode: code,
    RefreshToken: token,
    AccessToken: access,
  } = ctx.oidc.entities;
  const body = ctx.body as Record<string, unknown> | undefined;
  if (!grant?.jti || !access || typeof body?.access_token !== 'string') return;
  const { needPatientBanner, isBound: _bound, ...context } = await store.grantContext(grant.jti);
  const source = new Set([...(code ?? token ?? access).scopes]);
  const words = grant.getOIDCScopeFiltered(source);
  ctx.body = {
    ...body,
    scope: `${words} ${access.scope ?? ''}`.trim(),
    ...context,
    ...(context.patient === undefined ? {} : { need_patient_banner: needPatientBanner ?? true }),
  };
}
