/** The one table of who may import whom, in the order of the way of the data. Checked by `npm test`; ARCHITECTURE.md shows it. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  'packages/primitives': [],
  'packages/ledger': ['primitives'],
  'packages/consensus': ['primitives'],
  'packages/state-machine': ['primitives', 'ledger'],
  'packages/capabilities': ['primitives', 'ledger', 'state-machine'],
  'packages/fhir': ['primitives'],
  'packages/policy': ['primitives'],
  'packages/custody': ['primitives', 'ledger', 'fhir', 'policy', 'capabilities'],
  'packages/client': ['primitives', 'ledger', 'capabilities', 'custody', 'fhir'],
  'apps/node': ['primitives', 'ledger', 'consensus', 'state-machine', 'capabilities'],
  'apps/gateway': ['primitives', 'ledger', 'fhir', 'policy', 'custody', 'capabilities', 'client'],
  'apps/cli': [
    'primitives',
    'ledger',
    'consensus',
    'state-machine',
    'capabilities',
    'fhir',
    'policy',
    'custody',
    'client',
    'node',
    'gateway',
  ],
  simulator: ['primitives', 'ledger', 'consensus', 'state-machine', 'capabilities'],
  benchmarks: ['primitives', 'ledger', 'state-machine', 'capabilities', 'custody', 'node', 'gateway', 'cli'],
};

/** Runtime npm packages that a folder of `packages/` may use. A new one needs a page in docs/decisions/. */
export const mayUseNpm: Readonly<Record<string, readonly string[]>> = {
  'packages/primitives': ['@noble/hashes', '@noble/curves'],
};
