import { describe, expect, it } from 'vitest';
import { byteRangeOf } from './byte-range.ts';

describe('OFF-03: the Range header', () => {
  it.each([
    [undefined, undefined],
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=5-', { first: 5, last: 99 }],
    ['bytes=-1', { first: 99, last: 99 }],
    ['bytes=-200', { first: 0, last: 99 }],
    ['bytes=0-200', { first: 0, last: 99 }],
    ['bytes=99-99', { first: 99, last: 99 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-4', undefined],
    ['bytes=0-1,3-4', undefined],
    ['lines=0-1', undefined],
    ['bytes=-', undefined],
  ])('%s of 100 bytes', (header, expected) => {
    expect(byteRangeOf(header, 100)).toEqual(expected);
  });
});
