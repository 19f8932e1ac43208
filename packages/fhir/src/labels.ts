import type { FhirResource } from './resource.ts';

/** One security label (FHIR R4, security-labels). */
export interface SecurityLabel {
  readonly system: string;
  readonly code: string;
}

/** How confidential: `U`, `L`, `M`, `N`, `R`, `V` (HL7 v3). */
export const CONFIDENTIALITY_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality';
/** Why sensitive, and what must or must not be done: `HIV`, `PSY`, `42CFRPart2`, `NORDSCLCD` (HL7 v3). */
export const ACT_CODE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';

const CONFIDENTIALITY_ORDER = ['U', 'L', 'M', 'N', 'R', 'V'] as const;
/** From unrestricted to very restricted. */
export type Confidentiality = (typeof CONFIDENTIALITY_ORDER)[number];

type JsonObject = Readonly<Record<string, unknown>>;

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as JsonObject)[name] : undefined;
}

function codings(value: unknown): readonly unknown[] {
  return listOf(value).flatMap((item) =>
    member(item, 'coding') === undefined ? [item] : listOf(member(item, 'coding')),
  );
}

function ownLabels(resource: unknown): readonly unknown[] {
  const confidentiality =
    member(resource, 'resourceType') === 'Composition' ? member(resource, 'confidentiality') : undefined;
  return [
    ...listOf(member(member(resource, 'meta'), 'security')),
    ...codings(member(resource, 'securityLabel')),
    ...(typeof confidentiality === 'string'
      ? [{ system: CONFIDENTIALITY_SYSTEM, code: confidentiality }]
      : []),
  ];
}

/**
 * The security labels that a resource carries: `meta.security`, `securityLabel` of documents, a Composition's
 * `confidentiality`, and those of its contained resources, each once. A label without a code is left out.
 */
export function labelsOf(resource: FhirResource): readonly SecurityLabel[] {
  const labels = new Map<string, SecurityLabel>();
  for (const part of [resource, ...listOf(resource.contained)]) {
    for (const coding of ownLabels(part)) {
      const system = member(coding, 'system');
      const code = member(coding, 'code');
      if (typeof code !== 'string') continue;
      const label = { system: typeof system === 'string' ? system : '', code };
      labels.set(`${label.system}|${label.code}`, label);
    }
  }
  return [...labels.values()];
}

/** The strictest confidentiality among the labels; `N` (normal) when none says, as HL7 has it. */
export function confidentialityOf(labels: readonly SecurityLabel[]): Confidentiality {
  let strictest = -1;
  for (const { system, code } of labels) {
    if (system !== CONFIDENTIALITY_SYSTEM) continue;
    strictest = Math.max(strictest, (CONFIDENTIALITY_ORDER as readonly string[]).indexOf(code));
  }
  return CONFIDENTIALITY_ORDER[strictest] ?? 'N';
}
