/** What is checked of a released record, in the order a person would ask. */
export const VERDICT_NAMES = [
  /** The bytes are those that the commitment was made over. */
  'commitment',
  /** The commitment stands in an anchored batch, and the anchor in an accepted transaction of a block. */
  'inclusion-proof',
  /** The headers of that block and of the newest state are this chain's. */
  'header',
  /** A quorum of validators signed both. */
  'quorum',
  /** The key that signed the anchor belongs to the custodian. */
  'anchor-signer',
  /** Nothing replaced or deleted this version as of the newest state: absence of its retire key. */
  'not-superseded',
  /** The newest state names an active consent of this custodian, or the ground needs none. */
  'consent-active',
  /** The custodian signed what it discloses, to this recipient, for this request. */
  'disclosure-leaf',
  /** The state it was decided on was fresh, and the answer came in time. */
  'release-time',
] as const;
export type VerdictName = (typeof VERDICT_NAMES)[number];

export interface Verdict {
  readonly name: VerdictName;
  readonly holds: boolean;
  /** What is wrong, in words without content of the record; empty when it holds. */
  readonly detail: string;
}

export function holds(name: VerdictName): Verdict {
  return { name, holds: true, detail: '' };
}

export function fails(name: VerdictName, detail: string): Verdict {
  return { name, holds: false, detail };
}

/** One verdict from a problem or none. */
export function verdictOf(name: VerdictName, problem: string | undefined): Verdict {
  return problem === undefined ? holds(name) : fails(name, problem);
}
