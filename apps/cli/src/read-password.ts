import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CliError } from './errors.ts';

/** A line of standard input that is longer is no password. */
const LINE_BYTES_MAX = 4_096;

/**
 * Reads a password: asked twice and unseen on a terminal, else the first line of standard input.
 *
 * @throws {@link CliError} `cli/password`, `cli/interrupted`.
 */
export async function readPassword(): Promise<string> {
  if (process.stdin.isTTY !== true) return firstLine(process.stdin);
  const password = await ask('Password: ');
  if ((await ask('Again: ')) === password) return password;
  throw new CliError('cli/password', 'The two passwords are not the same.', 'Run it again.');
}

async function firstLine(input: AsyncIterable<string | Uint8Array>): Promise<string> {
  let bytes = Buffer.alloc(0);
  for await (const part of input) {
    bytes = Buffer.concat([bytes, Buffer.from(part)]);
    if (bytes.includes('\n') || bytes.length > LINE_BYTES_MAX) break;
  }
  const line = bytes.toString('utf8').split('\n')[0]?.replace(/\r$/, '') ?? '';
  if (line !== '' && bytes.length <= LINE_BYTES_MAX) return line;
  throw new CliError(
    'cli/password',
    'Standard input holds no password.',
    'Run it on a terminal, or give the password as the one line of standard input.',
  );
}

/** Asks on standard error, so that standard output holds results alone. */
function ask(question: string): Promise<string> {
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: true });
  process.stderr.write(question);
  return new Promise((resolve, reject) => {
    let answer: string | undefined;
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      process.stderr.write('\n');
      if (answer !== undefined) resolve(answer);
      else reject(new CliError('cli/interrupted', 'Interrupted.', 'Nothing was changed; run it again.'));
    });
  });
}
