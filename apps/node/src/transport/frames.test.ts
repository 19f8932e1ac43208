import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, FrameError, FrameReader } from './frames.ts';

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 40 }),
      (contents, cuts) => {
        const stream = Buffer.concat(contents.map(encodeFrame));
        const reader = new FrameReader(300);
        const read: Uint8Array[] = [];
        let offset = 0;
        for (let turn = 0; offset < stream.length; turn += 1) {
          const length = cuts[turn % cuts.length] ?? 1;
          read.push(...reader.push(stream.subarray(offset, offset + length)));
          offset += length;
        }
        expect(read).toEqual(contents);
      },
    ),
    { numRuns: 200 },
  );
});

test('a frame beyond the limit is refused by its length alone', () => {
  const reader = new FrameReader(10);
  expect(() => [...reader.push(Buffer.from([0, 0, 0, 11]))]).toThrow(FrameError);
});
