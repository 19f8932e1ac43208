import type { Command } from 'commander';
import { CODES, explain } from '../explain/explain.ts';
import { type OutputOptions, printFacts, printJson, printLine, runVerb } from './output.ts';

/** `careledger explain [CODE]`: what an error code means, and what to do. */
export function registerExplain(program: Command): void {
  program
    .command('explain')
    .description('what an error code means, and what to do; without a code, all of them')
    .argument('[code]', 'an error code, such as consent/already-revoked')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExample:\n  npx careledger explain transaction/expired')
    .action((code: string | undefined, options: OutputOptions) =>
      runVerb(options, async () => {
        if (code === undefined) {
          if (options.json === true) printJson({ codes: CODES.map(explain) });
          else for (const each of CODES) printLine(each);
          return;
        }
        const explanation = explain(code);
        if (options.json === true) {
          printJson(explanation);
          return;
        }
        printLine(explanation.code);
        printFacts([
          ['about', explanation.about],
          ['happened', explanation.happened],
          ['what to do', explanation.help],
        ]);
      }),
    );
}
