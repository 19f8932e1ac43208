/**
 * Who holds which consent, and who waits: first come first served, revocations before releases. Releases and revocations of one consent take the
 * same lock: that is what puts them in an order. Pure: the driver grants what `granted` names.
 */
export interface LockTable {
  /** Lock key → holders in turn: the first holds it. */
  readonly queues: ReadonlyMap<string, readonly string[]>;
  /** Holder → every key it asked for. */
  readonly wanted: ReadonlyMap<string, readonly string[]>;
}

export const emptyLockTable: LockTable = { queues: new Map(), wanted: new Map() };

export interface LockStep {
  readonly next: LockTable;
  /** Holders that have all their keys since this step. */
  readonly granted: readonly string[];
}

function holdsAll(table: LockTable, holder: string): boolean {
  return (table.wanted.get(holder) ?? []).every((key) => table.queues.get(key)?.[0] === holder);
}

/** Asks for all keys at once: one place in every queue at one moment, so two holders cannot wait for each other. */
export function acquireLocks(table: LockTable, holder: string, keys: readonly string[]): LockStep {
  const distinct = [...new Set(keys)];
  const queues = new Map(table.queues);
  for (const key of distinct) queues.set(key, [...(queues.get(key) ?? []), holder]);
  return entered(table, queues, { holder, keys: distinct });
}

/**
 * Asks for one key before everybody who still waits for it: a revocation waits for the release under way, never for
 * those that a recipient has queued up. Whoever holds one key alone waits for nobody else, so no circle can arise.
 */
export function acquireLockFirst(table: LockTable, holder: string, key: string): LockStep {
  const queue = table.queues.get(key) ?? [];
  const isHeld = queue[0] !== undefined && holdsAll(table, queue[0]);
  const place = isHeld ? 1 : 0;
  const queues = new Map(table.queues).set(key, [...queue.slice(0, place), holder, ...queue.slice(place)]);
  return entered(table, queues, { holder, keys: [key] });
}

function entered(
  table: LockTable,
  queues: LockTable['queues'],
  { holder, keys }: { readonly holder: string; readonly keys: readonly string[] },
): LockStep {
  const next = { queues, wanted: new Map(table.wanted).set(holder, keys) };
  return { next, granted: holdsAll(next, holder) ? [holder] : [] };
}

/** Gives everything back, held or waited for, and names who may go on. */
export function releaseLocks(table: LockTable, holder: string): LockStep {
  const queues = new Map(table.queues);
  const heirs = new Set<string>();
  for (const key of table.wanted.get(holder) ?? []) {
    const queue = queues.get(key) ?? [];
    const rest = queue.filter((waiting) => waiting !== holder);
    if (rest.length > 0) queues.set(key, rest);
    else queues.delete(key);
    if (queue[0] === holder && rest[0] !== undefined) heirs.add(rest[0]);
  }
  const wanted = new Map(table.wanted);
  wanted.delete(holder);
  const next = { queues, wanted };
  return { next, granted: [...heirs].filter((heir) => holdsAll(next, heir)) };
}
