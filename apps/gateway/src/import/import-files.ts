import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { JSON_LIMITS, JsonError, type JsonLimits, type LosslessValue, parseLossless } from '@careledger/fhir';
import { fromUtf8 } from '@careledger/primitives';
import { ImportError } from './import-error.ts';

/** Largest bundle that is read at once. */
export const FILE_BYTES_MAX = 256 * 1024 * 1024;
/** Longest line of NDJSON. */
export const LINE_BYTES_MAX = 32 * 1024 * 1024;
const FILE_JSON_LIMITS: JsonLimits = { ...JSON_LIMITS, charactersMax: FILE_BYTES_MAX };
const NDJSON_EXTENSIONS: ReadonlySet<string> = new Set(['.ndjson', '.jsonl']);
const EXTENSIONS: ReadonlySet<string> = new Set(['.json', ...NDJSON_EXTENSIONS]);

export interface ImportFile {
  readonly path: string;
  /** Path below the imported folder, as reports name it. */
  readonly name: string;
  readonly isNdjson: boolean;
}

/** A JSON text in a file: the whole of it, or one line. */
export interface ImportText {
  /** Line from 1, in NDJSON. */
  readonly line?: number;
  readonly value?: LosslessValue;
  /** Why there is no value. */
  readonly problem?: string;
}

async function* filesBelow(folder: string, prefix: string): AsyncGenerator<ImportFile> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    const name = `${prefix}${entry.name}`;
    const extension = extname(entry.name).toLowerCase();
    if (entry.isDirectory()) yield* filesBelow(path, `${name}/`);
    else if (entry.isFile() && EXTENSIONS.has(extension)) {
      yield { path, name, isNdjson: NDJSON_EXTENSIONS.has(extension) };
    }
  }
}

/**
 * The files of an import in one order, always the same: a file itself, or the `.json`, `.ndjson` and `.jsonl` files
 * below a folder. Links are not followed.
 *
 * @throws {@link ImportError} when the path cannot be read.
 */
export async function* importFiles(path: string): AsyncGenerator<ImportFile> {
  const facts = await stat(path).catch((cause) => {
    throw new ImportError(
      'import/no-such-path',
      `There is no file or folder ${path} that can be read.`,
      'Give the path of a FHIR bundle (.json), of NDJSON (.ndjson, .jsonl), of a folder of them, or the URL of a FHIR server.',
      { cause },
    );
  });
  if (facts.isDirectory()) yield* filesBelow(path, '');
  else yield { path, name: basename(path), isNdjson: NDJSON_EXTENSIONS.has(extname(path).toLowerCase()) };
}

function readText(bytes: Uint8Array, line?: number): ImportText {
  const place = line === undefined ? {} : { line };
  try {
    const text = fromUtf8(bytes);
    return {
      ...place,
      value: parseLossless(text.startsWith('\ufeff') ? text.slice(1) : text, FILE_JSON_LIMITS),
    };
  } catch (error) {
    if (error instanceof JsonError) return { ...place, problem: `${error.code}: ${error.message}` };
    return { ...place, problem: 'not UTF-8 text' };
  }
}

/** Lines of bytes without their ends; a line beyond the limit comes as `undefined`, once. */
async function* linesOf(path: string): AsyncGenerator<Uint8Array | undefined> {
  const file = await open(path);
  try {
    let parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of file.createReadStream() as AsyncIterable<Uint8Array>) {
      let start = 0;
      for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
        parts.push(chunk.subarray(start, end));
        yield length > LINE_BYTES_MAX ? undefined : Buffer.concat(parts);
        parts = [];
        length = 0;
        start = end + 1;
      }
      length += chunk.length - start;
      if (length <= LINE_BYTES_MAX) parts.push(chunk.subarray(start));
      else parts = [];
    }
    if (length > 0) yield length > LINE_BYTES_MAX ? undefined : Buffer.concat(parts);
  } finally {
    await file.close();
  }
}

async function* ndjsonTexts(path: string): AsyncGenerator<ImportText> {
  let line = 0;
  for await (const bytes of linesOf(path)) {
    line += 1;
    if (!bytes) yield { line, problem: `a line is longer than ${LINE_BYTES_MAX} bytes` };
    else if (bytes.some((byte) => byte !== 0x20 && byte !== 0x0d && byte !== 0x09))
      yield readText(bytes, line);
  }
}

async function readWhole(path: string): Promise<ImportText> {
  const { size } = await stat(path);
  if (size > FILE_BYTES_MAX) return { problem: `the file is larger than ${FILE_BYTES_MAX} bytes` };
  return readText(await readFile(path));
}

/** The JSON texts of one file. A file that cannot be read yields its problem as the last text; nothing is thrown. */
export async function* textsOf(file: ImportFile): AsyncGenerator<ImportText> {
  try {
    if (file.isNdjson) yield* ndjsonTexts(file.path);
    else yield await readWhole(file.path);
  } catch (error) {
    yield { problem: `the file cannot be read (${(error as { code?: unknown }).code ?? 'unknown'})` };
  }
}
