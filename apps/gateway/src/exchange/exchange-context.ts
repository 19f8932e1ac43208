import type { Decide, LedgerPort, PatientFacts, SealedBox } from '@careledger/custody';
import type { TrustedChain, TrustPath } from '@careledger/ledger';
import type { OrganizationId, Signer, VerifySignature } from '@careledger/primitives';
import type { ConsentLocks } from './consent-locks.ts';
import type { ExchangeRecords } from './exchange-records.ts';
import type { Anchoring } from './journal/anchoring.ts';
import type { Journal } from './journal/journal.ts';
import type { LedgerWriter } from './ledger-writer.ts';
import type { CustodianStore } from './store/custodian-store.ts';
import type { ExchangeDatabase } from './store/exchange-database.ts';
import type { RecipientStore } from './store/recipient-store.ts';

/** Structured log: ids of our own and codes, never a value out of a record. */
export interface ExchangeLog {
  readonly info: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}

/** What a question to another member's gateway needs. */
export interface MemberRequest {
  /** Path under that member's FHIR base: `$records`. */
  readonly operation: string;
  readonly body: string;
  readonly purpose: string;
  readonly requestingUser?: string;
  readonly consentId?: string;
}

export interface MemberAnswer {
  readonly status: number;
  readonly body: string;
  /** Our clock when the last byte had arrived, in milliseconds. */
  readonly receivedAt: number;
}

/** Straight to another member's gateway, over mutual TLS, with a token that says who asks, for whom and why. */
export interface MemberCalls {
  /** The FHIR base of a member, or `undefined` for one whose gateway is not known. */
  baseOf(organization: OrganizationId): string | undefined;
  /** @throws ExchangeError `exchange/custodian-unavailable`. */
  post(organization: OrganizationId, request: MemberRequest): Promise<MemberAnswer>;
}

/** Everything that the parts of an exchange share. */
export interface ExchangeContext {
  readonly organization: OrganizationId;
  readonly ledger: LedgerPort;
  readonly writer: LedgerWriter;
  readonly records: ExchangeRecords;
  readonly database: ExchangeDatabase;
  readonly custodian: CustodianStore;
  readonly recipient: RecipientStore;
  readonly journal: Journal;
  readonly anchoring: Anchoring;
  readonly locks: ConsentLocks;
  readonly members: MemberCalls;
  readonly box: SealedBox;
  /** Signs introductions, acknowledgements and reports; the key of our transactions. */
  readonly ledgerSigner: Signer;
  readonly disclosureSigner: Signer;
  readonly verifySignature: VerifySignature;
  readonly trusted: TrustedChain;
  readonly trustPath: () => TrustPath;
  /** The charter's rule pack as it is in force at a time. */
  readonly policyVersionAt: (time: number) => string;
  readonly decideAt: (time: number) => Decide<PatientFacts>;
  readonly now: () => number;
  readonly random: (length: number) => Uint8Array;
  readonly log: ExchangeLog;
}
