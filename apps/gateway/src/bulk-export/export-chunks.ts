import { CHUNK_SUBJECTS_MAX } from '@careledger/custody';
import { type StoredVersion, type Vault, VaultError } from '../vault/index.ts';

/** Record versions that are journalled in one entry, then written. */
export interface ExportChunk {
  readonly versions: readonly StoredVersion[];
  /** Whose records these are. */
  readonly subjects: readonly string[];
}

/**
 * Opens versions by their place in the vault. What has been erased is left out as if it had never been listed.
 *
 * @throws {@link VaultError} `vault/altered`: an export ends rather than hand out less than it says.
 */
export async function openVersions(vault: Vault, seqs: readonly number[]): Promise<readonly StoredVersion[]> {
  try {
    return await vault.bySeq(seqs);
  } catch (error) {
    if (!isErased(error)) throw error;
    const opened: StoredVersion[] = [];
    for (const seq of seqs) {
      try {
        opened.push(...(await vault.bySeq([seq])));
      } catch (fault) {
        if (!isErased(fault)) throw fault;
      }
    }
    return opened;
  }
}

/** Each version with the one that is current of the same resource: its labels and subjects govern all of them. */
export async function withCurrent(
  vault: Vault,
  versions: readonly StoredVersion[],
): Promise<readonly (readonly [version: StoredVersion, current: StoredVersion])[]> {
  if (versions.length === 0) return [];
  const rows = await vault.reader
    .selectFrom('version')
    .select('seq')
    .where(
      'seq',
      'in',
      versions.map(({ seq }) => seq),
    )
    .where('current', '=', 1)
    .execute();
  const current = new Set(rows.map(({ seq }) => seq));
  const pairs: (readonly [StoredVersion, StoredVersion])[] = [];
  for (const version of versions) {
    const newest = current.has(version.seq) ? version : await vault.current(version);
    if (newest) pairs.push([version, newest]);
  }
  return pairs;
}

function isErased(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'vault/erased';
}

/** Cuts versions into chunks of which each names no more patients than one journal entry can. */
export function chunksBySubjects(versions: readonly StoredVersion[]): readonly ExportChunk[] {
  const chunks: ExportChunk[] = [];
  let held: StoredVersion[] = [];
  let subjects = new Set<string>();
  for (const version of versions) {
    const together = new Set([...subjects, ...version.subjects]);
    if (held.length > 0 && together.size > CHUNK_SUBJECTS_MAX) {
      chunks.push({ versions: held, subjects: [...subjects] });
      held = [];
      subjects = new Set(version.subjects);
    } else subjects = together;
    held.push(version);
  }
  if (held.length > 0) chunks.push({ versions: held, subjects: [...subjects] });
  return chunks;
}
