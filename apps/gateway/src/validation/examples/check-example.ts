import { canonicalText, LosslessNumber, type LosslessValue, parseLossless, toPlain } from '@careledger/fhir';
import { validateResource } from '../validate-resource.ts';

/** The longest text of the official package, `Bundle-resources.json`, has 35 million characters. */
const CHARACTERS_MAX = 64 * 1024 * 1024;

export interface ExampleFindings {
  /** Is what comes back from its stored form the tree that was written, each number as it was written? */
  readonly isUnchanged: boolean;
  /** `Patient.name[0].text: why`. */
  readonly errors: readonly string[];
}

/** `JSON.parse` tells the text of each primitive since ES2025; TypeScript's library does not know yet. */
type SourceReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/** The tree by JavaScript's own parser, numbers as their text: it shares no line with the one under test. */
function independentTree(text: string): unknown {
  const reviver: SourceReviver = (_key, value, { source }) =>
    typeof value === 'number' ? { number: source } : value;
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
}

function isSameTree(lossless: LosslessValue | undefined, independent: unknown): boolean {
  if (lossless instanceof LosslessNumber) {
    return (independent as { readonly number?: string } | null)?.number === lossless.text;
  }
  if (typeof lossless !== 'object' || lossless === null) return lossless === independent;
  if (typeof independent !== 'object' || independent === null) return false;
  if (Array.isArray(lossless) !== Array.isArray(independent)) return false;
  const [ours, theirs] = [lossless, independent] as Readonly<Record<string, unknown>>[];
  const keys = Object.keys(ours ?? {});
  return (
    keys.length === Object.keys(theirs ?? {}).length &&
    keys.every((key) => isSameTree(ours?.[key] as LosslessValue, theirs?.[key]))
  );
}

/** An example through its stored form and back (parse, canonical text, UTF-8, parse), and through the validator. */
export function checkExample(text: string): ExampleFindings {
  const limits = { depthMax: 64, charactersMax: CHARACTERS_MAX, numberCharactersMax: 64 };
  const stored = new TextEncoder().encode(canonicalText(parseLossless(text, limits)));
  const read = parseLossless(new TextDecoder('utf-8', { fatal: true }).decode(stored), limits);
  const issues = validateResource(toPlain(read));
  return {
    isUnchanged: isSameTree(read, independentTree(text)),
    errors: issues
      .filter(({ severity }) => severity === 'error')
      .map(({ expression, details }) => `${expression?.[0]}: ${details?.text}`),
  };
}
