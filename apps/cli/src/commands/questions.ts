import { consentKey, keyKey, organizationKey } from '@careledger/capabilities';
import {
  CborError,
  type ConsentId,
  fromHex,
  organizationId,
  type PublicKey,
  type TransactionId,
  utf8,
} from '@careledger/primitives';
import { CliError } from '../errors.ts';

/** What `query` and `prove` can be asked about. */
export const SUBJECTS = ['head', 'organization', 'key', 'consent', 'state', 'transaction'] as const;
export type Subject = (typeof SUBJECTS)[number];

/** What each subject's id is, for the help. */
export const SUBJECTS_HELP = `
Subjects:
  head                       the newest final header
  organization NAME          a member
  key PUBLIC-KEY             for whom a key speaks (hexadecimal)
  consent CONSENT-ID         a consent (hexadecimal)
  state KEY                  any state key (text, or 0x and hexadecimal)
  transaction ID             a transaction with its result (hexadecimal)

Every answer is checked against a header that a quorum of validators signed.`;

/** @throws {@link CliError} `cli/subject`. */
export function subjectOf(text: string): Subject {
  const subject = SUBJECTS.find((word) => word === text);
  if (subject) return subject;
  throw new CliError(
    'cli/subject',
    `${JSON.stringify(text)} is no subject.`,
    `There are ${SUBJECTS.join(', ')}.`,
  );
}

function bytesOf(text: string | undefined, length: number): Uint8Array {
  const bytes = fromHex((text ?? '').toLowerCase());
  if (bytes?.length === length) return bytes;
  throw new CliError(
    'cli/id',
    `The id is not ${length * 2} hexadecimal digits.`,
    'See --help for what each subject takes.',
  );
}

/** A state key as people write it. @throws {@link CliError} `cli/id`. */
export function keyBytesOf(text: string): Uint8Array {
  if (!text.startsWith('0x')) return utf8(text);
  const bytes = fromHex(text.slice(2).toLowerCase());
  if (bytes) return bytes;
  throw new CliError('cli/id', 'The key is not hexadecimal.', 'Write it as text, or as 0x and hexadecimal.');
}

function organizationKeyOf(name: string): Uint8Array {
  try {
    return organizationKey(organizationId(name));
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause;
    throw new CliError(
      'cli/id',
      `${JSON.stringify(name)} is not an organization id.`,
      'It looks like city-clinic.',
    );
  }
}

/** The state key behind a subject. @throws {@link CliError} `cli/id`. */
export function keyOf(subject: Exclude<Subject, 'head' | 'transaction'>, id: string | undefined): Uint8Array {
  if (id === undefined || id === '') {
    throw new CliError(
      'cli/id',
      `A ${subject} is asked for by its id.`,
      'See --help for what each subject takes.',
    );
  }
  switch (subject) {
    case 'organization':
      return organizationKeyOf(id);
    case 'key':
      return keyKey(bytesOf(id, 32));
    case 'consent':
      return consentKey(bytesOf(id, 16) as ConsentId);
    case 'state':
      return keyBytesOf(id);
  }
}

/** @throws {@link CliError} `cli/id`. */
export function publicKeyOf(text: string): PublicKey {
  return bytesOf(text, 32) as PublicKey;
}

export function transactionIdOf(id: string | undefined): TransactionId {
  return bytesOf(id, 32) as TransactionId;
}
