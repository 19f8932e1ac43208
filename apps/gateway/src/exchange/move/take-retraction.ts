import { retiredKey } from '@careledger/capabilities';
import {
  isLosslessArray,
  isLosslessObject,
  isResource,
  type LosslessResource,
  toLossless,
  withField,
} from '@careledger/fhir';
import type { Commitment, OrganizationId } from '@careledger/primitives';
import { ExchangeError } from '../errors.ts';
import type { ExchangeContext } from '../exchange-context.ts';
import { journalEvent } from '../journal/journal-event.ts';

/** Tag of a local record whose source was taken back by its custodian. */
export const WITHDRAWN_TAG = {
  system: 'https://careledger.example/fhir/copy',
  code: 'withdrawn',
  display: 'Taken back by its custodian: it stood in the wrong chart',
} as const;

/**
 * Takes a custodian's notice that records which it disclosed stood in the wrong chart: our copies of them are marked
 * withdrawn, in the store and on the local record. What we have no copy of is passed over: the answer does not tell.
 *
 * @throws {@link ExchangeError} `exchange/ledger-unavailable` while our node does not know that they are retired.
 */
export async function takeRetraction(
  context: ExchangeContext,
  commitments: readonly Commitment[],
  caller: { readonly organization: OrganizationId; readonly purpose: string },
): Promise<void> {
  for (const commitment of commitments) {
    const copy = await context.recipient.copyWith(caller.organization, commitment);
    if (!copy || copy.isWithdrawn) continue;
    if (context.ledger.get(retiredKey(copy.details.evidence.leaf.retireKey)) === undefined) {
      throw new ExchangeError(
        'exchange/ledger-unavailable',
        'The ledger does not say yet that this is retired.',
      );
    }
    await markLocal(context, copy);
    await context.recipient.withdrawCopy(commitment, context.now());
    await journalEvent(context, {
      ...{ event: 'retraction', counterpart: caller.organization, purpose: caller.purpose },
      subjects: [copy.patient],
    });
  }
}

async function markLocal(
  { records, organization }: ExchangeContext,
  { type, id }: { readonly type: string; readonly id: string },
): Promise<void> {
  const local = type === 'Patient' ? undefined : await records.read(type, id);
  if (!local) return;
  const meta = isLosslessObject(local.meta) ? local.meta : {};
  const tags = isLosslessArray(meta.tag) ? meta.tag : [];
  const tag = [...tags, toLossless(WITHDRAWN_TAG)];
  const marked = withField(local, 'meta', { ...meta, tag });
  if (!isResource(marked)) return;
  const resource: LosslessResource = marked;
  await records.write((writer) =>
    writer.update(resource, { id, actor: `${organization}/exchange`, isCopy: true }),
  );
}
