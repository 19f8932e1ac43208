import type { LosslessResource } from '@careledger/fhir';
import type { RecordKey, StoredVersion } from '../../vault/index.ts';
import { actorOf, maySee, mayWrite, type Permission, requireScope } from '../access.ts';
import { FhirError, forbidden } from '../fhir-error.ts';
import type { RecordScope, WriteScope } from '../fhir-request.ts';

const VERSION_ID = /^[1-9]\d{0,8}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The newest version, deletions included, if the caller may know of it. */
export async function visibleVersion(
  scope: RecordScope,
  key: RecordKey,
  permission: Permission,
): Promise<StoredVersion | undefined> {
  const { store, caller, transaction } = scope;
  const { vault } = store.options;
  const stored = await vault.current(key, transaction?.tx ?? vault.reader);
  return stored && (await maySee(store.options, caller, stored, permission)) ? stored : undefined;
}

/**
 * {@link visibleVersion}, for a change that says only what is to be different: what it answers, and whether it fits, tells
 * what the rest says. So the caller must be able to read the record too.
 *
 * @throws {@link FhirError} 403.
 */
export async function editableVersion(scope: WriteScope, key: RecordKey): Promise<StoredVersion | undefined> {
  requireScope(scope.caller, key.type, 'read');
  const stored = await visibleVersion(scope, key, 'update');
  return stored && (await maySee(scope.store.options, scope.caller, stored, 'read')) ? stored : undefined;
}

/** One version, if the caller may see it. Today's newest version need not be asked for: current labels govern. */
export async function visibleOldVersion(
  scope: RecordScope,
  key: RecordKey,
  versionId: string,
): Promise<StoredVersion | undefined> {
  if (!VERSION_ID.test(versionId)) return undefined;
  const { store, caller, transaction } = scope;
  const { vault } = store.options;
  const reader = transaction?.tx ?? vault.reader;
  const stored = await vault.version({ ...key, version: Number(versionId) }, reader);
  return stored && (await maySee(store.options, caller, stored, 'read')) ? stored : undefined;
}

/** Appends a version, within what the caller may write. @throws {@link FhirError} 403, 413 or 422. */
export function appendVersion(
  scope: WriteScope,
  tree: LosslessResource,
  to: { readonly id: string; readonly replaces?: StoredVersion | undefined },
): Promise<StoredVersion> {
  const { store, caller, transaction, entry } = scope;
  const permission = to.replaces ? 'update' : 'create';
  return transaction.write(tree, {
    id: to.id,
    replaces: to.replaces,
    actor: actorOf(caller),
    entry,
    requireAllowed: async (version, plain) => {
      if (!(await mayWrite(store.options, caller, version, plain, permission))) throw forbidden();
    },
  });
}

/** May a client choose this id? It stands in clear in rows, links and logs: only one that can say nothing may come in. */
export function isClientId(id: string): boolean {
  return UUID.test(id);
}

/** @throws {@link FhirError} 405 for an id that this server does not take from outside. */
export function requireClientId({ caller }: RecordScope, type: string, id: string): void {
  if (caller.kind !== 'patient' && isClientId(id)) return;
  throw new FhirError({
    status: 405,
    code: 'not-supported',
    message: 'There is no such resource to update, and this server gives out ids itself.',
    help: 'Create it by POST, or by PUT with an id that is a random UUID in lower case.',
    expression: [`${type}.id`],
  });
}
