import { mayImport, mayUseNpm } from './scripts/architecture.ts';

const quote = (text) => text.replace(/[/\-.@]/g, '\\$&');
const folderOf = (name) =>
  Object.keys(mayImport).find((folder) => folder.endsWith(`/${name}`) || folder === name);

const layerRules = Object.entries(mayImport).map(([folder, names]) => ({
  name: `layer: ${folder}`,
  comment: `${folder} may import only: ${names.join(', ') || 'nothing of ours'} (scripts/architecture.ts)`,
  severity: 'error',
  from: { path: `^${quote(folder)}/` },
  to: {
    path: '^(packages|apps|simulator)/',
    pathNot: [folder, ...names.map(folderOf)].map((allowed) => `^${quote(allowed)}/`),
  },
}));

const npmRules = Object.keys(mayImport)
  .filter((folder) => folder.startsWith('packages/'))
  .map((folder) => ({
    name: `npm: ${folder}`,
    comment: 'runtime npm packages in packages/ are listed one by one in scripts/architecture.ts',
    severity: 'error',
    from: { path: `^${quote(folder)}/`, pathNot: '[.]test[.]ts$' },
    to: {
      path: 'node_modules/',
      ...(mayUseNpm[folder]
        ? { pathNot: mayUseNpm[folder].map((name) => `node_modules/${quote(name)}/`) }
        : {}),
    },
  }));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...layerRules,
    ...npmRules,
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'packages-are-sans-io',
      comment: 'sockets, disks, clocks and processes belong to apps/ and simulator/',
      severity: 'error',
      from: { path: '^packages/', pathNot: '[.]test[.]ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'front-door-only',
      comment: 'import @careledger/<package>, never a file inside it',
      severity: 'error',
      from: { path: '^(packages|apps|simulator)/([^/]+)/' },
      to: {
        path: '^packages/[^/]+/src/',
        pathNot: ['^packages/$2/', '^packages/[^/]+/src/(index|fhir)[.]ts$'],
      },
    },
    {
      name: 'ledger-half-never-sees-fhir-half',
      comment: 'what decides the state root must not depend on how FHIR spells it',
      severity: 'error',
      from: { path: '^packages/capabilities/src/', pathNot: '/fhir[./]' },
      to: { path: '^packages/capabilities/src/.*/?fhir[./]' },
    },
    {
      name: 'capabilities-meet-at-the-front-door',
      comment: 'one capability may use another only through its index.ts',
      severity: 'error',
      from: { path: '^packages/capabilities/src/([^/]+)/' },
      to: {
        path: '^packages/capabilities/src/[^/]+/.+',
        pathNot: ['^packages/capabilities/src/$1/', '^packages/capabilities/src/[^/]+/index[.]ts$'],
      },
    },
    {
      name: 'tests-are-leaves',
      severity: 'error',
      from: { pathNot: '[.]test[.]ts$' },
      to: { path: '[.]test[.]ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.d.ts'],
      // A package of types alone has no main.
      mainFields: ['main', 'types', 'typings'],
    },
  },
};
