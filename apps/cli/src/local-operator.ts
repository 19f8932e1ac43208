import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AssertionExtensions,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  type TokenRequest,
  tokenEndpointOf,
} from '@careledger/gateway/token-client';
import type { JWK } from 'jose';
import { type ConsortiumFile, organizationOf } from './consortium-file.ts';

export interface OperatorOptions {
  readonly folder: string;
  readonly consortium: ConsortiumFile;
  readonly organization: string;
  readonly scope: string;
  /** Patient resource id that the token speaks for. */
  readonly patient?: string;
  /** User id that the token speaks for. */
  readonly user?: string;
}

/**
 * What the local operator asks for a token with. Development-grade: it may speak for any user or patient of this machine.
 * The agent in it is the caller's to close.
 */
export function operatorTokenRequest(options: OperatorOptions): TokenRequest {
  const { folder, consortium, scope, patient, user } = options;
  const { origin } = new URL(organizationOf(consortium, options.organization).fhir);
  const extensions: AssertionExtensions = {
    ...(patient === undefined ? {} : { patient }),
    ...(user === undefined ? {} : { user }),
  };
  return {
    clientId: LOCAL_OPERATOR,
    privateKey: JSON.parse(readFileSync(join(folder, consortium.localOperatorKeyFile), 'utf8')) as JWK,
    tokenEndpoint: tokenEndpointOf(origin),
    agent: mutualTlsAgent({ certificateAuthority: readFileSync(join(folder, consortium.caFile), 'utf8') }),
    scope,
    extensions,
  };
}
