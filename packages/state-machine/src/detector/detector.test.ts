import { list, oneOf, optional, struct, text, uint } from '@careledger/primitives';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { refusals } from '../refusals.ts';
import { TestChain } from '../test-chain.test-support.ts';
import { detectorOf, findIdentifier } from './detector.ts';

const detect = detectorOf(1);

/** One text for each of the 18 Safe Harbor identifiers (45 CFR 164.514(b)(2)(i)(A) to (R)). */
const safeHarbor: readonly (readonly [string, string])[] = [
  ['name', 'Mrs. Abernathy was seen'],
  ['name', 'seen with Margaret Hollis today'],
  ['geography', 'lives at 12 Elm Street'],
  ['geography', 'zip 02139'],
  ['geography', '02139-4307'],
  ['date', '1961-03-09'],
  ['date', '3/9/1961'],
  ['date', 'March 9, 1961'],
  ['telephone', '(415) 555-0132'],
  ['telephone', '+49 30 1234 567'],
  ['fax', 'fax: 12'],
  ['email', 'm.hollis@example.org'],
  ['social-security-number', '078-05-1120'],
  ['medical-record-number', 'MRN 88'],
  ['health-plan-number', 'member id 77'],
  ['account-number', 'account 12'],
  ['licence-number', 'NPI 12'],
  ['vehicle-identifier', '1HGCM82633A004352'],
  ['device-identifier', 'serial number 5'],
  ['device-identifier', '(01)00812345678906'],
  ['web-address', 'https://example.org/p/1'],
  ['internet-address', '192.168.20.7'],
  ['internet-address', '2001:db8:0:1:1:1:1:1'],
  ['biometric-identifier', 'fingerprint on file'],
  ['photograph', 'photo attached'],
  ['other-identifier', '00123456789'],
];

describe('version 1', () => {
  test.each(safeHarbor)('OFF-04: %s is detected in "%s"', (kind, content) => {
    expect(detect(content)).toBe(kind);
  });

  test.each([
    '4111 1111 1111 1111',
    '5500-0000-0000-0004',
    '340000000000009',
    'paid by 6011000000000004 in full',
    '%B4111111111111111^DOE/JANE^2512101?',
    'CVV: 123',
  ])('OFF-05: a payment card is detected in "%s"', (content) => {
    expect(detect(content)).toBe('payment-card');
  });

  test('OFF-05: digits that fail the Luhn check are not called a card, but long ones are refused all the same', () => {
    expect(detect('4111 1111 1111 1112')).not.toBe('payment-card');
    expect(detect('4111111111111112')).toBe('other-identifier');
  });

  test.each(['student id 44', 'FERPA record', 'see IEP of 5th grade', 'school transcript attached'])(
    'a school record is detected in "%s"',
    (content) => {
      expect(detect(content)).toBe('school-record');
    },
  );

  test.each([
    'general-hospital',
    'mother-and-child-hospital',
    'patient-first',
    'portrait-clinic-2',
    'acme-health-plan-1',
  ])('the id %s of an organization or node is nobody’s identifier', (name) => {
    expect(detect(name)).toBeUndefined();
  });

  test('the detector ends quickly on any text of the longest field', () => {
    const long = fc.string({
      minLength: 200,
      maxLength: 400,
      unit: fc.constantFrom('1', '4', ' ', '-', '.', 'a', '@', ':'),
    });
    fc.assert(
      fc.property(long, (content) => {
        const started = performance.now();
        detect(content);
        return performance.now() - started < 100;
      }),
      { numRuns: 100 },
    );
  });
});

test('a version that is not known is refused: what it would find is part of consensus', () => {
  expect(() => detectorOf(2)).toThrow(RangeError);
});

test('only text fields are looked at, wherever they stand, and the path is named', () => {
  const codec = struct({
    count: uint,
    kind: oneOf(['078-05-1120']),
    entries: list(struct({ note: optional(text({ bytesMax: 50 })) }), { countMax: 3 }),
  });
  const value = {
    count: 123_456_789,
    kind: '078-05-1120' as const,
    entries: [{}, { note: 'SSN 078-05-1120' }],
  };
  const found = findIdentifier(codec.shape, codec.toCbor(value), detect);
  expect(found).toEqual({ path: 'entries[1].note', kind: 'social-security-number' });
  expect(findIdentifier(codec.shape, codec.toCbor({ ...value, entries: [] }), detect)).toBeUndefined();
});

test('OFF-04: behind the type rule, a text field that holds an identifier or a card number is refused by every node', () => {
  const chain = new TestChain();
  expect(chain.codes([chain.note('as agreed')])).toEqual([0]);
  for (const [, content] of [...safeHarbor, ['', '4111 1111 1111 1111'], ['', 'student id 44']] as const) {
    const transaction = chain.note(content ?? '');
    const checked = chain.application.checkTransaction(transaction, chain.time);
    expect(checked.code).toBe(refusals['transaction/identifier']);
    expect(checked.detail).not.toContain(content);
    expect(chain.application.processProposal(chain.proposal([transaction]))).toContain(
      'transaction/identifier',
    );
  }
});
