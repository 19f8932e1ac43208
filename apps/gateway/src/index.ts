export {
  type AccessToken,
  type AssertionExtensions,
  AuthorizationError,
  type ClientRegistry,
  clientRegistry,
  fhirBaseOf,
  generatePrivateJwk,
  type Hl7B2b,
  hashPassword,
  LOCAL_OPERATOR,
  mutualTlsAgent,
  OPERATOR_SCOPES,
  ORGANIZATION_SCOPES,
  publicJwkOf,
  type RegisteredClient,
  ROLES,
  type Role,
  readClientRegistry,
  readOrCreatePrivateJwk,
  requestToken,
  TokenRequestError,
  tokenEndpointOf,
} from './authorization/index.ts';
export type { Caller, Scope } from './caller.ts';
export { type CreateExchangeOptions, createExchange } from './create-exchange.ts';
export { type FhirInput, type FhirOutput, FhirService, matchPatients, RecordStore } from './fhir/index.ts';
export {
  createGateway,
  type Gateway,
  type GatewayContext,
  type GatewayOptions,
  type GatewayPart,
} from './gateway.ts';
export type { GatewayKeys, RotatedKeys } from './gateway-keys.ts';
export { HomeLockError } from './home-lock.ts';
export {
  type Drift,
  type DriftKind,
  type DriftReport,
  fileSource,
  findDrift,
  type ImportControls,
  ImportError,
  type ImportErrorCode,
  type ImportedRecord,
  type ImportFinding,
  type ImportLink,
  type ImportOptions,
  type ImportReport,
  type ImportSource,
  type ImportTarget,
  type ImportWrite,
  type ImportWriter,
  importFrom,
  importResources,
  isSourceAddress,
  type ServerSourceOptions,
  type SourceKey,
  serverSource,
  sourceAddress,
} from './import/index.ts';
export {
  type BackupReport,
  DISCLOSURE_SIGNING_KEY,
  GATEWAY_KEYS,
  type KeyEvent,
  type KeyName,
  type Keystore,
  type KeystoreDescription,
  KeystoreError,
  type KeystoreSecret,
  LEDGER_SIGNING_KEY,
  openFileKeystore,
  type RestoreReport,
  restoreKeystore,
  SEALED_ENTRIES_KEY,
  sealTo,
} from './keystore/index.ts';
export type { OutboxMetrics } from './outbox/index.ts';
export type { ServerLog } from './server/index.ts';
export { certificateThumbprint, type TlsIdentity } from './tls/index.ts';
export {
  isR4ResourceType,
  loadDefinitions,
  VALIDATOR,
  type Validation,
  type Validator,
  validateResource,
  validationOf,
} from './validation/index.ts';
export {
  type RotationReport,
  type StoredVersion,
  Vault,
  VaultError,
  type VaultFault,
  type VaultReport,
  verifyVault,
} from './vault/index.ts';
