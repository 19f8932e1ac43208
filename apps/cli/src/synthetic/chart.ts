import { isResource, LosslessNumber, type LosslessResource, toLossless } from '@careledger/fhir';
import { invariant } from '@careledger/primitives';
import { idFrom } from './random.ts';

/** Who holds a record: the hospital's clinical records, or the payer's claims. */
export type Custodian = 'clinical' | 'claims';

/** One version of one record, as its source system would send it. */
export interface SyntheticRecord {
  readonly custodian: Custodian;
  readonly resource: LosslessResource;
  /** 1 for the first. A later version replaces the one before, under the same id. */
  readonly version: number;
  /** When what it tells happened, in ms. */
  readonly eventAt: number;
  /** When it was recorded, in ms: usually soon after, sometimes years. */
  readonly recordedAt: number;
}

/** A record that other records can refer to, and that can be revised. */
export interface Entry {
  readonly reference: string;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Draft extends Entry {
  readonly custodian: Custodian;
  readonly version: number;
  readonly eventAt: number;
}

/** When a record's event was, and when it was recorded. */
export interface Moment {
  readonly at: number;
  readonly recordedAt?: number;
}

/** A decimal written with all its digits: `decimal(110, 2)` is 1.10. */
export function decimal(units: number, decimals: number): LosslessNumber {
  const digits = String(Math.abs(Math.round(units))).padStart(decimals + 1, '0');
  const sign = units < 0 ? '-' : '';
  const whole = digits.slice(0, digits.length - decimals);
  return new LosslessNumber(
    sign + whole + (decimals > 0 ? `.${digits.slice(digits.length - decimals)}` : ''),
  );
}

/** Collects the records of one patient, or of the organizations, and gives them their ids. */
export class Chart {
  readonly #seed: string;
  readonly #records: SyntheticRecord[] = [];
  readonly #drafts = new Map<string, Draft>();
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  #emit(draft: Draft, recordedAt: number): Entry {
    const resource = toLossless(draft.body);
    invariant(isResource(resource), 'a chart holds resources');
    const { custodian, version, eventAt } = draft;
    this.#records.push({ custodian, resource, version, eventAt, recordedAt });
    this.#drafts.set(draft.reference, draft);
    return draft;
  }

  /** Adds a new record. Members that are `undefined` are left out. */
  add(custodian: Custodian, resourceType: string, moment: Moment, content: object): Entry {
    this.#count += 1;
    const id = idFrom(this.#seed, custodian, resourceType, String(this.#count));
    const body = { resourceType, id, ...content };
    const draft = { custodian, body, version: 1, eventAt: moment.at, reference: `${resourceType}/${id}` };
    return this.#emit(draft, moment.recordedAt ?? moment.at);
  }

  /** Adds the next version of a record, with these members changed. */
  revise(entry: Entry, recordedAt: number, change: object): Entry {
    const before = this.#drafts.get(entry.reference);
    invariant(before, 'a revised record was added before');
    return this.#emit(
      { ...before, body: { ...before.body, ...change }, version: before.version + 1 },
      recordedAt,
    );
  }

  /** All versions in the order in which they were recorded; what refers to another comes after it. */
  records(): readonly SyntheticRecord[] {
    return this.#records.toSorted((left, right) => left.recordedAt - right.recordedAt);
  }
}

/** A Reference to a record. */
export function to(entry: Entry): { reference: string } {
  return { reference: entry.reference };
}
