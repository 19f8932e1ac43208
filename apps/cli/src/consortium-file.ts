import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { CliError } from './errors.ts';

/** Where `start` keeps the local consortium unless told otherwise. */
export const DATA_FOLDER = '.careledger';
export const CONSORTIUM_FILE = 'consortium.json';

/** Where one member of the local consortium is found, and what a tool on this machine needs to talk to it. */
export interface ConsortiumOrganization {
  readonly name: string;
  /** The member's home folder. */
  readonly home: string;
  /** Base URL of its FHIR API: `https://localhost:7400/fhir/R4`. */
  readonly fhir: string;
  /** Base URL of its node's API: `https://localhost:7401`. */
  readonly node: string;
  /** Base URL of its console; there is none yet. */
  readonly console: string | null;
  /** Its TLS certificate and key, PEM. */
  readonly tls: { readonly certFile: string; readonly keyFile: string };
}

/** What `start` writes once the consortium is founded, and every other verb reads. All paths are absolute in memory. */
export interface Consortium {
  /** Chain id in hexadecimal: SHA-256 of the genesis document. */
  readonly chain: string;
  readonly genesisFile: string;
  /** The consortium's certificate authority, PEM. */
  readonly caFile: string;
  readonly organizations: readonly ConsortiumOrganization[];
  /** Private key (JWK) of the development-grade client `local-operator`. */
  readonly localOperatorKeyFile: string;
}

function mapPaths(consortium: Consortium, change: (path: string) => string): Consortium {
  return {
    chain: consortium.chain,
    genesisFile: change(consortium.genesisFile),
    caFile: change(consortium.caFile),
    organizations: consortium.organizations.map((organization) => ({
      ...organization,
      home: change(organization.home),
      tls: { certFile: change(organization.tls.certFile), keyFile: change(organization.tls.keyFile) },
    })),
    localOperatorKeyFile: change(consortium.localOperatorKeyFile),
  };
}

/** Writes `consortium.json` into a data folder, whole or not at all. Paths inside the folder are kept relative. */
export async function writeConsortiumFile(folder: string, consortium: Consortium): Promise<void> {
  const file = join(folder, CONSORTIUM_FILE);
  const root = resolve(folder);
  const relativePaths = mapPaths(consortium, (path) =>
    resolve(path).startsWith(`${root}/`) ? relative(root, resolve(path)) : resolve(path),
  );
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(relativePaths, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
}

/**
 * Reads the consortium of a data folder.
 *
 * @throws {@link CliError} `consortium/not-found`, `consortium/malformed`.
 */
export async function readConsortiumFile(folder: string): Promise<Consortium> {
  const file = join(folder, CONSORTIUM_FILE);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError(
      'consortium/not-found',
      `There is no local consortium in ${folder}.`,
      'Start one with `npm start`, or name its folder with --data.',
      { cause },
    );
  }
  try {
    return mapPaths(asConsortium(JSON.parse(text)), (path) =>
      isAbsolute(path) ? path : resolve(folder, path),
    );
  } catch (cause) {
    throw new CliError(
      'consortium/malformed',
      `${file} is not a consortium file: ${cause instanceof Error ? cause.message : 'unreadable'}.`,
      'Start the consortium again with `npm start`: it writes the file anew.',
      { cause },
    );
  }
}

type Fields = Readonly<Record<string, unknown>>;

function asFields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new TypeError(`${name} is not an object`);
}

function asText(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw new TypeError(`${name} is missing`);
}

function asConsortium(value: unknown): Consortium {
  const fields = asFields(value, 'the content');
  if (!Array.isArray(fields.organizations)) throw new TypeError('organizations is not a list');
  return {
    chain: asText(fields, 'chain'),
    genesisFile: asText(fields, 'genesisFile'),
    caFile: asText(fields, 'caFile'),
    organizations: fields.organizations.map(asOrganization),
    localOperatorKeyFile: asText(fields, 'localOperatorKeyFile'),
  };
}

function asOrganization(value: unknown): ConsortiumOrganization {
  const fields = asFields(value, 'an organization');
  const tls = asFields(fields.tls, 'tls');
  return {
    name: asText(fields, 'name'),
    home: asText(fields, 'home'),
    fhir: asText(fields, 'fhir'),
    node: asText(fields, 'node'),
    console: typeof fields.console === 'string' ? fields.console : null,
    tls: { certFile: asText(tls, 'certFile'), keyFile: asText(tls, 'keyFile') },
  };
}

/**
 * Finds one member by its name.
 *
 * @throws {@link CliError} `consortium/unknown-organization` listing the names there are.
 */
export function organizationOf(consortium: Consortium, name: string): ConsortiumOrganization {
  const found = consortium.organizations.find((organization) => organization.name === name);
  if (found) return found;
  throw new CliError(
    'consortium/unknown-organization',
    `No organization of this consortium is called ${JSON.stringify(name)}.`,
    `Its organizations: ${consortium.organizations.map((organization) => organization.name).join(', ')}.`,
  );
}
