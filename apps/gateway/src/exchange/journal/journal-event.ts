import { ENTRY_ID_BYTES, ENTRY_SALT_BYTES, type JournalEntry } from '@careledger/custody';
import type { OrganizationId } from '@careledger/primitives';
import type { ExchangeContext } from '../exchange-context.ts';
import type { IndexedEntry } from './journal-index.ts';

/** What differs from event to event; the rest of an entry is empty. */
export type EventFields = Pick<JournalEntry, 'event' | 'purpose' | 'subjects'> &
  Partial<Omit<JournalEntry, 'kind' | 'id' | 'time' | 'organization' | 'counterpart'>> & {
    readonly counterpart: OrganizationId;
  };

/** Journals something that is no release: an introduction, a grant, a revocation, a receipt. */
export function journalEvent(
  context: Pick<ExchangeContext, 'journal' | 'organization' | 'now' | 'random'>,
  fields: EventFields,
): Promise<IndexedEntry> {
  const entry: JournalEntry = {
    kind: 'careledger/journal-entry/1',
    id: context.random(ENTRY_ID_BYTES),
    time: context.now(),
    organization: context.organization,
    ruleIds: [],
    description: [],
    withheld: 0,
    late: false,
    ...fields,
  };
  return context.journal.append({ entry, salt: context.random(ENTRY_SALT_BYTES) });
}
