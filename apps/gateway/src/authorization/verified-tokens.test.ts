import type { JWTPayload } from 'jose';
import { expect, it } from 'vitest';
import { VerifiedTokens } from './verified-tokens.ts';

function tokensAt(clock: { seconds: number }, payload: JWTPayload) {
  const asked: string[] = [];
  const tokens = new VerifiedTokens(
    () => clock.seconds * 1_000,
    async (token) => {
      asked.push(token);
      if (token === 'forged') throw new Error('not good');
      return payload;
    },
  );
  return { asked, tokens };
}

it('a token is verified once, and again from the second in which it expires', async () => {
  const clock = { seconds: 100 };
  const { asked, tokens } = tokensAt(clock, { exp: 160 });
  await tokens.payloadOf('one');
  clock.seconds = 159;
  await tokens.payloadOf('one');
  expect(asked).toEqual(['one']);
  clock.seconds = 160;
  await tokens.payloadOf('one');
  expect(asked).toEqual(['one', 'one']);
});

it('a clock put back before the token began has it verified again', async () => {
  const clock = { seconds: 100 };
  const { asked, tokens } = tokensAt(clock, { exp: 160, nbf: 90 });
  await tokens.payloadOf('one');
  clock.seconds = 89;
  await tokens.payloadOf('one');
  expect(asked).toHaveLength(2);
});

it('a token that is not good is never remembered, and no token stands for another', async () => {
  const { asked, tokens } = tokensAt({ seconds: 100 }, { exp: 160 });
  await tokens.payloadOf('one');
  await expect(tokens.payloadOf('forged')).rejects.toThrow('not good');
  await expect(tokens.payloadOf('forged')).rejects.toThrow('not good');
  expect(asked).toEqual(['one', 'forged', 'forged']);
});
