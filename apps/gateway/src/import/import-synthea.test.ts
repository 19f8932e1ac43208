import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { referencesOf } from '@careledger/fhir';
import { describe, expect, test } from 'vitest';
import { importResources } from './index.ts';
import { MemoryTarget } from './memory-target.ts';

const path = fileURLToPath(new URL('../../../../../shared/data/synthea', import.meta.url));
const isThere = existsSync(path);
const title = isThere ? 'Synthea' : 'Synthea (SKIPPED: ../shared/data/synthea is not on this machine)';

describe.skipIf(!isThere)(title, () => {
  const target = new MemoryTarget();

  test('24 patients, 4,356 entries, 4,338 distinct: 18 are practitioners and organizations that bundles share', async () => {
    const report = await importResources({ path, source: 'synthea', target });
    expect(report).toMatchObject({ files: 24, brokenFiles: 0, read: 4356, distinct: 4338, created: 4338 });
    expect(report).toMatchObject({ updated: 0, unchanged: 18, flagged: 0, refused: 0, findings: [] });
    const newest = target.records().map(({ versions }) => versions[0]?.resource);
    expect(newest.filter((resource) => resource?.resourceType === 'Patient')).toHaveLength(24);
    const ids = new Set(newest.map((resource) => `${resource?.resourceType}/${resource?.id}`));
    const dangling = newest
      .flatMap((resource) => (resource ? referencesOf(resource) : []))
      .filter(({ kind, reference = '' }) => kind !== 'contained' && !ids.has(reference));
    expect(dangling).toEqual([]);
  });

  test('a second run changes nothing', async () => {
    const before = target.contents();
    const report = await importResources({ path, source: 'synthea', target });
    expect(report).toMatchObject({ read: 4356, created: 0, updated: 0, unchanged: 4356, refused: 0 });
    expect(target.contents()).toEqual(before);
  });
});
