import type { OperationOutcomeIssue } from '@medplum/fhirtypes';
import type { Definitions } from './definitions.ts';
import type { TypeRule } from './element-rules.ts';
import type { InvariantScope } from './invariants.ts';
import { issueAt } from './issue.ts';
import type { JsonObject } from './json-object.ts';
import type { NameOf, ResourceLimits } from './structure-check.ts';

/** Issues that are collected before anything is sorted out: hostile input must not make a list without end. */
const ISSUES_COLLECTED_MAX = 1_000;

/** The resource that is being read, and what is around it. */
export interface Scope extends InvariantScope {
  /** Of a Bundle: its resources by `fullUrl`, which its references may name. */
  readonly entries: ReadonlyMap<string, JsonObject>;
}

/** One pass over one resource. */
export class Walk {
  readonly definitions: Definitions;
  readonly limits: ResourceLimits;
  readonly nameOf: NameOf;
  readonly issues: OperationOutcomeIssue[] = [];
  /** Outside code systems whose codes were checked for their form alone. */
  readonly systemsNotLookedUp = new Set<string>();

  constructor(definitions: Definitions, limits: ResourceLimits, nameOf: NameOf) {
    this.definitions = definitions;
    this.limits = limits;
    this.nameOf = nameOf;
  }

  report(
    at: string,
    code: OperationOutcomeIssue['code'],
    text: string,
    severity?: OperationOutcomeIssue['severity'],
  ): void {
    if (this.issues.length < ISSUES_COLLECTED_MAX) this.issues.push(issueAt(at, code, text, severity));
  }
}

/** One value of an element, with what stands beside it as `_element`, its type and its FHIRPath. */
export interface Item {
  readonly value: unknown;
  readonly shadow: unknown;
  readonly type: TypeRule;
  readonly at: string;
}
