import { CliError } from '../errors.ts';
import { AREAS } from './areas.ts';
import catalogue from './catalogue.json' with { type: 'json' };
import { SENTENCES } from './sentences.ts';

/** What a code means, for a person. */
export interface Explanation {
  readonly code: string;
  readonly about: string;
  readonly happened: string;
  readonly help: string;
}

interface Words {
  readonly message?: string;
  readonly help?: string;
}

const WORDS: Readonly<Record<string, Words>> = catalogue;

/** Every error code of the system, in the order of the alphabet. */
export const CODES: readonly string[] = Object.keys(WORDS);

/** As a sentence of its own. */
function sentence(words: string): string {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?:…]$/.test(text) ? text : `${text}.`;
}

/** `consent/already-revoked` → `already revoked` */
function spelled(code: string): string {
  return code.slice(code.indexOf('/') + 1).replaceAll('-', ' ');
}

/**
 * Explains an error code: what it is about, what happened, what to do.
 *
 * @throws {@link CliError} `explain/unknown` for what is no code of this version; the nearest ones are named.
 */
export function explain(code: string): Explanation {
  const area = code.split('/')[0] ?? '';
  const words = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
  const about = Object.hasOwn(AREAS, area) ? AREAS[area] : undefined;
  if (!words || !about) {
    const near = CODES.filter((each) => each.startsWith(`${area}/`)).slice(0, 12);
    throw new CliError(
      'explain/unknown',
      `${JSON.stringify(code)} is no error code of this version.`,
      near.length > 0
        ? `There are ${near.join(', ')}.`
        : 'Without a code, `careledger explain` lists all of them.',
    );
  }
  return {
    code,
    about: about.about,
    happened: sentence(SENTENCES[code] ?? words.message ?? spelled(code)),
    help: words.help ?? about.help,
  };
}
