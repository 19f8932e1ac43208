import { LOCATOR_TAG_BYTES } from '@careledger/capabilities';
import {
  type Brand,
  type ChainId,
  chainIdCodec,
  equalBytes,
  err,
  fixedBytes,
  type OrganizationId,
  ok,
  oneOf,
  organizationIdCodec,
  type PublicKey,
  type Result,
  type Signer,
  type StructOf,
  struct,
  text,
  uint,
  type VerifySignature,
} from '@careledger/primitives';
import { INTRODUCTION_MS_MAX } from './limits.ts';
import type { SealedBox } from './sealed-box.ts';
import { openStatement, signStatement } from './statement.ts';

/** Random, one per patient, pair of organizations and epoch. Passes only pairwise and encrypted; never on the ledger. */
export type PatientHandle = Brand<Uint8Array, 'PatientHandle'>;
/** Random: by it the recipient recognizes, in a locator entry only it can open, which of its patients is meant. */
export type LocatorTag = Brand<Uint8Array, 'LocatorTag'>;

export const HANDLE_BYTES = 32;
export const INTRODUCTION_NONCE_BYTES = 16;
export const handleCodec = fixedBytes<PatientHandle>(HANDLE_BYTES);
export const locatorTagCodec = fixedBytes<LocatorTag>(LOCATOR_TAG_BYTES);

const DOMAIN = 'careledger/introduction/v1';

const introductionFields = {
  kind: oneOf(['careledger/introduction/1']),
  chain: chainIdCodec,
  /** Who wants to locate and fetch: the organization whose desk made this. */
  recipient: organizationIdCodec,
  /** Who holds the records, and alone can open this. */
  custodian: organizationIdCodec,
  handle: handleCodec,
  locatorTag: locatorTagCodec,
  /** HL7 v3 PurposeOfUse code. */
  purpose: text({ bytesMax: 16, pattern: /^[A-Z]+$/ }),
  expiresAt: uint,
  nonce: fixedBytes(INTRODUCTION_NONCE_BYTES),
};
export const introductionCodec = struct(introductionFields);
/** What a recipient's desk hands the patient, sealed, to carry to a custodian. */
export type Introduction = StructOf<typeof introductionFields>;

/** Signs an introduction with the recipient's ledger key and seals it to the custodian: the patient carries a closed letter. */
export function sealIntroduction(
  introduction: Introduction,
  options: { readonly signer: Signer; readonly box: SealedBox; readonly encryptionKey: Uint8Array },
): Uint8Array {
  const signed = signStatement({ domain: DOMAIN, codec: introductionCodec }, introduction, options.signer);
  return options.box.seal(options.encryptionKey, signed);
}

export type IntroductionFailure =
  | 'introduction/unreadable'
  | 'introduction/signature'
  | 'introduction/other-chain'
  | 'introduction/other-custodian'
  | 'introduction/signer-not-in-force'
  | 'introduction/expired'
  | 'introduction/lives-too-long'
  | 'introduction/used';

/** What the custodian knows when a patient brings an introduction. */
export interface IntroductionContext {
  readonly chain: ChainId;
  readonly custodian: OrganizationId;
  readonly now: number;
  readonly box: SealedBox;
  readonly verify: VerifySignature;
  /** For which organization this key is in force now, by state. */
  readonly organizationOf: (key: PublicKey) => OrganizationId | undefined;
  /** Was an introduction with this nonce brought before? Kept at least until `expiresAt`. */
  readonly isUsed: (nonce: Uint8Array) => boolean;
}

/** Opens what a patient brought and judges it. The caller marks the nonce used in the same transaction that stores the handle. */
export function openIntroduction(
  sealed: Uint8Array,
  context: IntroductionContext,
): Result<Introduction, IntroductionFailure> {
  const signed = context.box.open(sealed);
  if (!signed) return err('introduction/unreadable');
  const opened = openStatement({ domain: DOMAIN, codec: introductionCodec, verify: context.verify }, signed);
  if (!opened.ok) {
    return err(opened.error === 'statement/signature' ? 'introduction/signature' : 'introduction/unreadable');
  }
  const introduction = opened.value.content;
  if (!equalBytes(introduction.chain, context.chain)) return err('introduction/other-chain');
  if (introduction.custodian !== context.custodian) return err('introduction/other-custodian');
  if (context.organizationOf(opened.value.publicKey) !== introduction.recipient) {
    return err('introduction/signer-not-in-force');
  }
  if (introduction.expiresAt <= context.now) return err('introduction/expired');
  if (introduction.expiresAt > context.now + INTRODUCTION_MS_MAX) return err('introduction/lives-too-long');
  if (context.isUsed(introduction.nonce)) return err('introduction/used');
  return ok(introduction);
}
