import { toHex } from '@careledger/primitives';
import {
  accepted,
  type Outcome,
  rejected,
  type StateReader,
  type TransitionContext,
} from '@careledger/state-machine';
import { entryPublished, entryWithdrawn } from './events.ts';
import type { LocatorEntryId, PublishEntries, WithdrawEntries } from './messages.ts';
import type { LocatorRejection } from './rejections.ts';
import { readEntry, removeEntry, writeEntry } from './state.ts';

function isRepeated(entryIds: readonly LocatorEntryId[]): boolean {
  return new Set(entryIds.map(toHex)).size !== entryIds.length;
}

export function publishEntries(
  state: StateReader,
  message: PublishEntries,
  context: TransitionContext,
): Outcome<LocatorRejection> {
  const { entries } = message;
  const organization = context.signer;
  const isTaken = entries.some(({ entryId }) => readEntry(state, entryId) !== undefined);
  if (!context.roles.includes('custodian')) return rejected('locator/not-custodian');
  if (isTaken || isRepeated(entries.map(({ entryId }) => entryId))) return rejected('locator/entry-taken');

  return accepted(
    entries.map(({ entryId, ciphertext }) => writeEntry(entryId, { organization, ciphertext })),
    entries.map(({ entryId }) => entryPublished(organization, entryId)),
  );
}

/** Entries end when the consent or the law behind them does. Only who published an entry may withdraw it. */
export function withdrawEntries(
  state: StateReader,
  message: WithdrawEntries,
  context: TransitionContext,
): Outcome<LocatorRejection> {
  const { entryIds } = message;
  if (!context.roles.includes('custodian')) return rejected('locator/not-custodian');
  if (isRepeated(entryIds)) return rejected('locator/entry-not-found');
  for (const entryId of entryIds) {
    const entry = readEntry(state, entryId);
    if (!entry) return rejected('locator/entry-not-found');
    if (entry.organization !== context.signer) return rejected('locator/not-own-entry');
  }

  return accepted(
    entryIds.map(removeEntry),
    entryIds.map((entryId) => entryWithdrawn(context.signer, entryId)),
  );
}
