import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from './errors.ts';

/** The version of the data folder's layout that this program reads and writes. */
export const CONSORTIUM_VERSION = 1;

/** One member of the local consortium. Paths are relative to the data folder. */
export interface ConsortiumOrganization {
  readonly name: string;
  readonly home: string;
  /** FHIR base URL: `https://localhost:7400/fhir/R4`. */
  readonly fhir: string;
  /** Origin of the node's API: `https://localhost:7401`. */
  readonly node: string;
  /** The web application comes with a later release: until then there is none. */
  readonly console: string | null;
  readonly tls: { readonly certFile: string; readonly keyFile: string };
}

/** `consortium.json` in the data folder: what a tool on this machine needs to reach the members. */
export interface ConsortiumFile {
  readonly version: number;
  /** Chain id, hexadecimal: the trusted genesis hash. */
  readonly chain: string;
  readonly genesisFile: string;
  readonly caFile: string;
  readonly localOperatorKeyFile: string;
  readonly organizations: readonly ConsortiumOrganization[];
}

/** @throws {@link CliError} `consortium/missing` or `consortium/version`. */
export function readConsortiumFile(folder: string): ConsortiumFile {
  const path = join(folder, 'consortium.json');
  if (!existsSync(path)) {
    throw new CliError(
      'consortium/missing',
      `There is no consortium in ${folder}.`,
      'Run `npm start` first, or give its folder with --data.',
    );
  }
  let file: ConsortiumFile;
  try {
    file = JSON.parse(readFileSync(path, 'utf8')) as ConsortiumFile;
  } catch (cause) {
    throw new CliError(
      'consortium/damaged',
      `${path} is not JSON.`,
      'Restore it, or start in an empty folder.',
      {
        cause,
      },
    );
  }
  if (file.version !== CONSORTIUM_VERSION) {
    throw new CliError(
      'consortium/version',
      `The data folder ${folder} is of version ${file.version}; this program reads version ${CONSORTIUM_VERSION}.`,
      'Use the release that made it, or start in an empty folder with --data.',
    );
  }
  return file;
}

/** Replaces the file as a whole: a reader sees the old one or the new one. */
export function writeConsortiumFile(folder: string, file: ConsortiumFile): void {
  const path = join(folder, 'consortium.json');
  writeFileSync(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { flush: true });
  renameSync(`${path}.new`, path);
}

/** Finds one member by its name. @throws {@link CliError} `consortium/organization` listing the names there are. */
export function organizationOf(consortium: ConsortiumFile, name: string): ConsortiumOrganization {
  const found = consortium.organizations.find((organization) => organization.name === name);
  if (found) return found;
  throw new CliError(
    'consortium/organization',
    `${name} is not an organization of this consortium.`,
    `It has ${consortium.organizations.map((organization) => organization.name).join(', ')}.`,
  );
}
