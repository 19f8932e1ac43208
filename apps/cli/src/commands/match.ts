import { verifyRecordProofFile } from '@careledger/client';
import { verifySignature } from '@careledger/primitives';
import type { Command } from 'commander';
import { chainIdOf } from './node-connection.ts';
import { EXIT_FAILED, type OutputOptions, printFacts, printJson, printLine, runVerb } from './output.ts';
import { readAll } from './read-file.ts';
import { recordProofFacts } from './verify.ts';

interface MatchOptions extends OutputOptions {
  readonly proof: string;
  readonly genesis: string;
}

/** `careledger match RECORD --proof FILE`: is this the record that was issued, and does it still stand? */
export function registerMatch(program: Command): void {
  program
    .command('match')
    .description('check offline that a record is the one that its proof is about, and that it stands')
    .argument('<record>', 'the record, exactly as its custodian’s gateway gave it')
    .requiredOption('--proof <file>', 'the record proof that came with it (`careledger prove record`)')
    .requiredOption('--genesis <hash>', 'the trusted genesis hash, hexadecimal: all that is taken on trust')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Example:
  npx careledger match observation.json --proof observation.proof --genesis HASH

Nothing is asked of anybody and nothing is stored. Exit code 0: it is the issued record, unaltered and not replaced or
retracted as of the block that is shown. 1: not so.`,
    )
    .action((record: string, options: MatchOptions) =>
      runVerb(options, async () => {
        const matched = verifyRecordProofFile(readAll(options.proof), {
          expectedChain: chainIdOf(options.genesis),
          verifySignature,
          record: readAll(record),
        });
        const stands = matched.ok && matched.value.replacedBy === undefined;
        if (!stands) process.exitCode = EXIT_FAILED;
        if (options.json === true) {
          if (!matched.ok) printJson({ matches: false, fault: matched.error });
          else {
            const { issuer, receipt, replacedBy, asOf } = matched.value;
            printJson({ matches: true, stands, issuer, anchored: receipt.time, replacedBy, asOf });
          }
          return;
        }
        if (!matched.ok) printLine(`NO MATCH  ${matched.error.message} (${matched.error.code})`);
        else {
          printLine(stands ? 'MATCHES, AND STANDS' : 'MATCHES, BUT WAS REPLACED OR RETRACTED');
          printFacts(recordProofFacts(matched.value));
        }
      }),
    );
}
