import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';
import { argv, cwd } from 'node:process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import ts from 'typescript';

/**
 * What `npm pack` of `packages/client` runs before and after: the workspace runs TypeScript as it stands and needs no build,
 * a foreign project wants JavaScript, types, and nothing else to install. Modules stay modules, so that a bundler can leave
 * out what is not imported; @noble's, the only code of others, is bundled below `dist/vendor`.
 */

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ENTRY = 'client/index';
/** Node 20 and the browsers of its year. */
const TARGET = ts.ScriptTarget.ES2022;
/** The specifier of an import, an export, or an `import()` type. */
const SPECIFIER = /(\bfrom |\bimport\(|\bimport )["']([^"'\n]+)["']/g;

interface Module {
  readonly js: string;
  readonly types: string;
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
  return {
    ...options,
    target: TARGET,
    noEmit: false,
    declaration: true,
    rootDir: join(ROOT, 'packages'),
    outDir: '/',
    typeRoots: [join(ROOT, 'node_modules/@types')],
    // What stands below node_modules is not emitted: the workspace's links to its own packages are passed by.
    paths: {
      '@careledger/capabilities/fhir': [join(ROOT, 'packages/capabilities/src/fhir.ts')],
      '@careledger/*': [join(ROOT, 'packages/*/src/index.ts')],
    },
    noEmitOnError: true,
    rewriteRelativeImportExtensions: true,
    // A page of documentation is what an editor shows beside a name.
    removeComments: false,
  };
}

/** `/ledger/src/proofs.js` → `ledger/proofs`. */
function moduleNameOf(emitted: string): string {
  return emitted
    .replace(/^\//, '')
    .replace('/src/', '/')
    .replace(/\.d\.ts$|\.js$/, '');
}

/** Every module that the client reaches, as JavaScript and as types. */
function compile(): ReadonlyMap<string, Module> {
  const program = ts.createProgram([join(ROOT, 'packages/client/src/index.ts')], compilerOptions());
  const modules = new Map<string, Module>();
  const { diagnostics } = program.emit(undefined, (file, text) => {
    const name = moduleNameOf(file);
    const module = modules.get(name) ?? { js: '', types: '' };
    modules.set(name, file.endsWith('.d.ts') ? { ...module, types: text } : { ...module, js: text });
  });
  const problems = ts.getPreEmitDiagnostics(program).concat(diagnostics);
  if (problems.length > 0) {
    const host = { getCanonicalFileName: String, getCurrentDirectory: () => ROOT, getNewLine: () => '\n' };
    throw new Error(ts.formatDiagnostics(problems, host));
  }
  return modules;
}

function vendorNameOf(specifier: string): string {
  return `vendor/${specifier.replace(/^@/, '').replace(/\.js$/, '').replaceAll('/', '-')}`;
}

/** The module that a specifier leads to from within another, or undefined for what is not ours. */
function moduleOf(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('.')) {
    return posix.join(posix.dirname(from), specifier).replace(/\.(js|ts)$/, '');
  }
  const own = /^@careledger\/([a-z-]+)(?:\/([a-z-]+))?$/.exec(specifier);
  return own ? `${own[1]}/${own[2] ?? 'index'}` : undefined;
}

/** Writes what can be reached from the entry, its imports made relative. @returns the specifiers of others' code. */
function writeReachable(modules: ReadonlyMap<string, Module>, kind: keyof Module, out: string): Set<string> {
  const foreign = new Set<string>();
  const seen = new Set<string>();
  const queue = [ENTRY];
  const extension = kind === 'js' ? '.js' : '.d.ts';
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const from = name;
    const text = modules.get(name)?.[kind];
    if (text === undefined) throw new Error(`${name} is imported, but was not compiled`);
    const rewritten = text.replace(SPECIFIER, (_whole, before: string, specifier: string) => {
      const own = moduleOf(specifier, from);
      if (own === undefined) foreign.add(specifier);
      else queue.push(own);
      const path = posix.relative(posix.dirname(from), own ?? vendorNameOf(specifier));
      return `${before}'${path.startsWith('.') ? path : `./${path}`}.js'`;
    });
    mkdirSync(dirname(join(out, name)), { recursive: true });
    writeFileSync(join(out, `${name}${extension}`), rewritten);
  }
  return foreign;
}

async function writeVendor(specifiers: ReadonlySet<string>, out: string): Promise<void> {
  await build({
    absWorkingDir: join(ROOT, 'packages/primitives'),
    entryPoints: Object.fromEntries([...specifiers].map((each) => [vendorNameOf(each), each])),
    bundle: true,
    splitting: true,
    chunkNames: 'vendor/[name]-[hash]',
    format: 'esm',
    target: 'es2022',
    outdir: out,
    legalComments: 'inline',
    logLevel: 'error',
  });
  for (const name of ['curves', 'hashes']) {
    copyFileSync(
      join(ROOT, 'node_modules/@noble', name, 'LICENSE'),
      join(out, 'vendor', `LICENSE-noble-${name}`),
    );
  }
}

/** Builds `dist` in a folder. */
async function writeDist(folder: string): Promise<void> {
  const dist = join(folder, 'dist');
  rmSync(dist, { recursive: true, force: true });
  const modules = compile();
  const foreign = writeReachable(modules, 'js', dist);
  const untyped = writeReachable(modules, 'types', dist);
  if (untyped.size > 0) throw new Error(`types of others are needed: ${[...untyped].join(', ')}`);
  await writeVendor(foreign, dist);
}

const MANIFEST = 'package.json';
const KEPT = '.package.json.workspace';

/** The manifest that a foreign project sees: JavaScript, types, no dependency, no script. */
function packedManifest(text: string): string {
  const { name, version, license, description, type, sideEffects, files } = JSON.parse(text);
  const entry = `./dist/${ENTRY}`;
  const exports = { '.': { types: `${entry}.d.ts`, default: `${entry}.js` } };
  const engines = { node: '>=20' };
  const packed = { name, version, license, description, type, sideEffects, files, engines, exports };
  return `${JSON.stringify(packed, null, 2)}\n`;
}

async function beforePack(folder: string): Promise<void> {
  // An earlier run that was interrupted left the workspace's own manifest aside.
  afterPack(folder);
  await writeDist(folder);
  const manifest = join(folder, MANIFEST);
  const text = readFileSync(manifest, 'utf8');
  copyFileSync(manifest, join(folder, KEPT));
  writeFileSync(manifest, packedManifest(text));
}

function afterPack(folder: string): void {
  if (existsSync(join(folder, KEPT))) renameSync(join(folder, KEPT), join(folder, MANIFEST));
  rmSync(join(folder, 'dist'), { recursive: true, force: true });
}

if (argv[2] === 'before') await beforePack(cwd());
else if (argv[2] === 'after') afterPack(cwd());
else throw new Error(`usage: ${relative(cwd(), fileURLToPath(import.meta.url))} before|after`);
