import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkExample } from './check-example.ts';

const REFUSED = new URL('../../../../../vectors/fhir-r4-examples/refused.json', import.meta.url);
const ISSUES_SHOWN = 3;

/** Checks every example of an extracted package; returns how many are not as they should be. */
function checkAll(folder: string): number {
  const refused = JSON.parse(readFileSync(REFUSED, 'utf8')) as Readonly<Record<string, string>>;
  const files = readdirSync(folder).filter((file) => /^[A-Z].*\.json$/.test(file));
  let wrong = 0;
  const tell = (file: string, what: string) => {
    wrong += 1;
    console.log(`${file}: ${what}`);
  };
  for (const file of files) {
    const { isUnchanged, errors } = checkExample(readFileSync(join(folder, file), 'utf8'));
    if (!isUnchanged) tell(file, 'does not come back as it was');
    const isListed = Object.hasOwn(refused, file);
    if (errors.length > 0 && !isListed) tell(file, errors.slice(0, ISSUES_SHOWN).join('; '));
    if (errors.length === 0 && isListed) tell(file, 'is listed as refused and is not');
  }
  console.log(
    `${files.length} examples, ${Object.keys(refused).length} known to be refused, ${wrong} not as they should be`,
  );
  return wrong;
}

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Name the folder of the extracted package hl7.fhir.r4.examples.');
process.exitCode = checkAll(folder) === 0 ? 0 : 1;
