import type { FinalTransaction, LedgerPort } from '@careledger/custody';
import { signTransaction, TRANSACTION_NONCE_BYTES } from '@careledger/ledger';
import type { Signer } from '@careledger/primitives';
import { ExchangeError } from './errors.ts';

/** How long one of our transactions may wait for its block, in milliseconds. */
export const TRANSACTION_MS_MAX = 5 * 60_000;

export interface LedgerWriterOptions {
  readonly ledger: Pick<LedgerPort, 'chain' | 'submit'>;
  readonly signer: Signer;
  readonly now: () => number;
  readonly random: (length: number) => Uint8Array;
}

/** Signs and submits this organization's messages. */
export interface LedgerWriter {
  /**
   * Resolves once the message is final, whatever its result.
   * @throws {@link ExchangeError} `exchange/ledger-unavailable` while there is no quorum.
   */
  submit(type: string, body: Uint8Array): Promise<FinalTransaction>;
}

export function createLedgerWriter(options: LedgerWriterOptions): LedgerWriter {
  const { ledger, signer, now, random } = options;
  return {
    submit: async (type, body) => {
      const expiresAt = now() + TRANSACTION_MS_MAX;
      const payload = { chain: ledger.chain, nonce: random(TRANSACTION_NONCE_BYTES), expiresAt, type, body };
      const { bytes } = signTransaction({ payload, signer });
      try {
        return await ledger.submit(bytes);
      } catch (cause) {
        throw new ExchangeError('exchange/ledger-unavailable', 'The ledger does not take this now.', {
          cause,
        });
      }
    },
  };
}
