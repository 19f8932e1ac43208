import { join } from 'node:path';
import { requestToken } from '@careledger/gateway/token-client';
import type { Command } from 'commander';
import { organizationOf, readConsortiumFile } from '../consortium-file.ts';
import { operatorTokenRequest } from '../local-operator.ts';
import { DATA_FOLDER } from './node-connection.ts';
import { type OutputOptions, printJson, printLine, runVerb } from './output.ts';

interface TokenOptions extends OutputOptions {
  readonly organization: string;
  readonly scope: string;
  readonly patient?: string;
  readonly user?: string;
  readonly data: string;
}

/** `careledger token`: a bearer token of the local consortium, for curl. */
export function registerToken(program: Command): void {
  program
    .command('token')
    .description('print a bearer token of the local consortium, to try the FHIR APIs with curl')
    .requiredOption('--organization <name>', 'whose FHIR API the token is for')
    .requiredOption('--scope <scopes>', "SMART scopes, such as 'system/*.rs' or 'patient/*.cruds'")
    .option('--patient <id>', 'the Patient resource id that the token speaks for; needs patient/ scopes')
    .option('--user <id>', 'the user that the token speaks for; needs user/ scopes')
    .option('--data <folder>', 'data folder of the local consortium', DATA_FOLDER)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Example:
  TOKEN=$(npx careledger token --organization general-hospital --scope 'system/*.rs')
  curl --cacert .careledger/network/ca.pem -H "Authorization: Bearer $TOKEN" \\
    'https://localhost:7400/fhir/R4/Patient?_count=3'

The key behind it is the local operator's, which may speak for anybody here: for development alone.`,
    )
    .action((options: TokenOptions) => runVerb(options, () => printToken(options)));
}

async function printToken(options: TokenOptions): Promise<void> {
  const consortium = readConsortiumFile(options.data);
  const request = operatorTokenRequest({ ...options, folder: options.data, consortium });
  try {
    const token = await requestToken(request);
    const { fhir } = organizationOf(consortium, options.organization);
    if (options.json === true) printJson({ ...token, fhir, caFile: join(options.data, consortium.caFile) });
    else printLine(token.accessToken);
  } finally {
    await request.agent.destroy();
  }
}
