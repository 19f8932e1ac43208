import { readFileSync, statSync } from 'node:fs';
import { FILE_BYTES_MAX } from '@careledger/client';
import { CliError } from '../errors.ts';

/** Reads a file that a person names. @throws {@link CliError} `cli/file`, `cli/file-too-large`. */
export function readAll(file: string, bytesMax: number = FILE_BYTES_MAX): Uint8Array {
  try {
    if (statSync(file).size <= bytesMax) return new Uint8Array(readFileSync(file));
  } catch (cause) {
    throw new CliError('cli/file', `${file} cannot be read.`, 'Check its name and its mode.', { cause });
  }
  throw new CliError('cli/file-too-large', `${file} is too large to be one of ours.`, 'Check its name.');
}
