/** The layer table as Markdown. Run directly, it writes the table into ARCHITECTURE.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mayImport } from './architecture.ts';

export function layerTable(): string {
  const rows = Object.entries(mayImport).map(
    ([folder, names]) => `| \`${folder}\` | ${names.length > 0 ? names.join(', ') : '—'} |`,
  );
  return ['| folder | may import |', '|---|---|', ...rows].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = fileURLToPath(new URL('../ARCHITECTURE.md', import.meta.url));
  const text = readFileSync(file, 'utf8');
  const begin = text.indexOf('<!-- layers -->') + '<!-- layers -->'.length;
  writeFileSync(
    file,
    `${text.slice(0, begin)}\n${layerTable()}\n${text.slice(text.indexOf('<!-- /layers -->'))}`,
  );
}
