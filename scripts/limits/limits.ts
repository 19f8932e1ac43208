/**
 * Every limit of the code as docs/limits.md: constants whose name ends in `_MAX`, with their value and what their
 * comment says. Run directly, it writes the page.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = join(ROOT, 'docs', 'limits.md');
const LIMIT =
  /((?:^\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?)^(?:export )?const ([A-Z0-9_]+_MAX)(?:: [a-zA-Z]+)? = ([^;]+);/gm;

export interface Limit {
  /** `apps/gateway/src/server`. */
  readonly folder: string;
  readonly name: string;
  /** As the code writes it, and what that comes to. */
  readonly value: string;
  readonly about: string;
}

function sources(): readonly string[] {
  return ['packages', 'apps'].flatMap((top) =>
    readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && /[/\\]src[/\\]/.test(path) && !path.includes('node_modules'))
      .filter((path) => !/\.test\.ts$|testing|test-support/.test(path))
      .map((path) => join(ROOT, top, path)),
  );
}

/** `16 * 1024 * 1024` as a number; what names another constant stays as it is written. */
function amountOf(expression: string): string {
  const factors = expression.replaceAll('_', '').split('*').map(Number);
  if (factors.some(Number.isNaN)) return `\`${expression.replaceAll(/\s+/g, ' ')}\``;
  return factors.reduce((product, factor) => product * factor, 1).toLocaleString('en-US');
}

function aboutOf(comment: string): string {
  const text = comment.replaceAll(/^\/\*\*|\*\/\n?$|^\s*\* ?/gm, ' ').replaceAll(/\s+/g, ' ');
  return text.trim().replaceAll('|', '\\|');
}

/** Limits in the order of folders and names. */
export function limits(): readonly Limit[] {
  const found = sources().flatMap((path) => {
    const folder = relative(ROOT, path).split(sep).slice(0, -1).join('/');
    return [...readFileSync(path, 'utf8').matchAll(LIMIT)].map(
      ([, comment = '', name = '', value = '']): Limit => ({
        ...{ folder, name, value: amountOf(value) },
        about: aboutOf(comment),
      }),
    );
  });
  const key = ({ folder, name }: Limit): string => `${folder} ${name}`;
  return found.sort((left, right) => (key(left) < key(right) ? -1 : 1));
}

export function limitsPage(): string {
  const byFolder = Map.groupBy(limits(), ({ folder }) => folder);
  const tables = [...byFolder].map(([folder, listed]) => {
    const rows = listed.map(({ name, value, about }) => `| \`${name}\` | ${value} | ${about} |`);
    return `## ${folder}\n\n| limit | value | |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Limits\n\nMade from the code by \`node scripts/limits/limits.ts\`. What comes over a limit is refused with a clear error, never cut off in
silence. Names say the unit: \`_BYTES_MAX\`, \`_MS_MAX\` (milliseconds), \`_CHARACTERS_MAX\`; a bare \`_MAX\` counts things.\n\n${tables.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, limitsPage());
