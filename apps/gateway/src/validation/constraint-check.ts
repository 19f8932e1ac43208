import type { ElementRule } from './element-rules.ts';
import { holds } from './invariants.ts';
import type { Scope, Walk } from './walk.ts';

/** The invariants of a rule on one value. `base` is the type or path that FHIRPath reads the value as. */
export function checkConstraints(
  walk: Walk,
  rule: ElementRule,
  base: string,
  value: unknown,
  at: string,
  scope: Scope,
): void {
  for (const constraint of rule.constraints) {
    const answer = holds(constraint, base, value, scope);
    if (answer === true) continue;
    if (answer === undefined) {
      walk.report(at, 'processing', `Constraint ${constraint.key} could not be evaluated`, 'warning');
      continue;
    }
    const text = `Constraint ${constraint.key} not met: ${constraint.human}`;
    walk.report(at, 'invariant', text, constraint.severity === 'warning' ? 'warning' : 'error');
  }
}
