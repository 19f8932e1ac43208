import { commitBytes, voteBytes } from '@careledger/ledger';
import { sha256, toHex, utf8, verifySignature } from '@careledger/primitives';
import { expect, test } from 'vitest';
import {
  Consortium,
  chain,
  clinic,
  county,
  hospital,
  keyNamed,
  type Spoken,
  signerNamed,
} from '../consortium.test-support.ts';
import {
  listMisbehaviour,
  MISBEHAVIOURS_MAX,
  misbehaviourCodec,
  misbehaviourKey,
  type StatementKind,
} from './misbehaviour.ts';
import {
  type Equivocation,
  equivocationClaims,
  reportEquivocationCodec,
  type SignedStatement,
} from './report-equivocation.ts';

const TYPE = 'membership/report-equivocation';
const guilty = `${hospital} node`;
const [one, two] = [sha256(utf8('one header')), sha256(utf8('another header'))];

interface Story {
  readonly kind?: StatementKind;
  readonly engineHeight?: number;
  readonly hashes?: readonly [Uint8Array, Uint8Array];
  readonly signers?: readonly [string, string];
  readonly named?: string;
}

/** Two statements of one height and view, signed by whom the story says. */
function contradiction(story: Story = {}): Equivocation {
  const { kind = 'commit', engineHeight = 7, hashes = [one, two], signers = [guilty, guilty] } = story;
  const place = { chain, engineHeight, view: 1 };
  const signed = (hash: Uint8Array, signer: string): SignedStatement => {
    const [time, ledgerHeight] = kind === 'commit' ? [1_000, 5] : [0, 0];
    const bytes =
      kind === 'commit'
        ? commitBytes({ ...place, time, ledgerHeight, headerHash: hash })
        : voteBytes({ ...place, kind, digest: hash });
    return { hash, time, ledgerHeight, signature: signerNamed(signer).sign(bytes) };
  };
  return {
    publicKey: keyNamed(story.named ?? signers[0]),
    kind,
    engineHeight,
    view: 1,
    first: signed(hashes[0], signers[0]),
    second: signed(hashes[1], signers[1]),
  };
}

function report(message: Equivocation, by = `${clinic} auditor`): Spoken {
  return { by, type: TYPE, message };
}

test('LED-21: a validator that signed two headers at one height and view is named on the ledger, with its organization', () => {
  const consortium = new Consortium();
  const message = contradiction();
  expect(consortium.say(report(message))).toEqual(['accepted']);
  const [result] = consortium.blocks.at(-1)?.results ?? [];
  expect(result?.events).toEqual([
    {
      type: 'membership/equivocation-reported',
      attributes: {
        organization: hospital,
        node: `${hospital}-1`,
        publicKey: toHex(keyNamed(guilty)),
        kind: 'commit',
        engineHeight: '7',
        view: '1',
      },
    },
  ]);
  const value = consortium.store.get(misbehaviourKey(keyNamed(guilty), message));
  expect(value && misbehaviourCodec.decode(value)).toMatchObject({
    organization: hospital,
    reportedBy: clinic,
    engineHeight: 7,
  });
  expect(consortium.replayed().header.stateRoot).toEqual(consortium.header.stateRoot);
});

test('LED-21: two proposals or two prepares of one height and view are as good a proof', () => {
  const consortium = new Consortium();
  const spoken = (['pre-prepare', 'prepare'] as const).map((kind) => report(contradiction({ kind })));
  expect(consortium.say(...spoken)).toEqual(['accepted', 'accepted']);
  expect(listMisbehaviour(consortium.store).map(({ kind }) => kind)).toEqual(['pre-prepare', 'prepare']);
});

test('LED-21: a second report of the same changes nothing, whoever brings it and in whatever order', () => {
  const consortium = new Consortium();
  const { first, second, ...rest } = contradiction();
  consortium.say(report({ ...rest, first, second }));
  const before = listMisbehaviour(consortium.store);
  const again = report({ ...rest, first: second, second: first }, `${county} gateway`);
  expect(consortium.say(again)).toEqual(['accepted']);
  expect(listMisbehaviour(consortium.store)).toEqual(before);
  expect(consortium.blocks.at(-1)?.results[0]?.events).toEqual([]);
});

test('LED-21: the same statement twice and a signer that never validated are refused', () => {
  const consortium = new Consortium();
  const administrator = `${hospital} administrator`;
  const outcomes = consortium.say(
    report(contradiction({ hashes: [one, one] })),
    report(contradiction({ signers: [administrator, administrator] })),
    report(contradiction({ signers: ['a stranger', 'a stranger'] })),
  );
  expect(outcomes).toEqual([
    'membership/no-contradiction',
    'membership/not-a-validator',
    'membership/not-a-validator',
  ]);
  expect(listMisbehaviour(consortium.store)).toEqual([]);
});

test('LED-21: statements of different signers, or of another height than told, do not pass as inner signatures', () => {
  const honest = `${clinic} node`;
  const wrong = [
    contradiction({ signers: [guilty, honest] }),
    contradiction({ signers: [honest, honest], named: guilty }),
    { ...contradiction(), engineHeight: 8 },
    { ...contradiction(), view: 0 },
    { ...contradiction({ kind: 'prepare' }), kind: 'pre-prepare' as const },
  ];
  for (const message of wrong) {
    expect(equivocationClaims(message, chain).every(verifySignature)).toBe(false);
  }
  const consortium = new Consortium();
  // Its code is of the form, before any rule: the report never comes to be judged.
  expect(consortium.say(report(contradiction({ signers: [guilty, honest] })))).not.toEqual(['accepted']);
  expect(listMisbehaviour(consortium.store)).toEqual([]);
});

test('LED-21: what a vote’s signature does not cover cannot be used to tell one vote as two', () => {
  const vote = contradiction({ kind: 'prepare', hashes: [one, one] });
  const told = { ...vote, second: { ...vote.second, time: 1 } };
  expect(() => reportEquivocationCodec.encode(told)).toThrow('a vote has no time and no ledger height');
});

test('LED-21: a key that is out of force since answers for what it signed; the consortium decides what follows', () => {
  const consortium = new Consortium();
  consortium.say({
    by: `${hospital} administrator`,
    type: 'membership/suspend-node',
    message: { node: `${hospital}-1` },
  });
  const before = consortium.application.info().validators;
  expect(consortium.say(report(contradiction()))).toEqual(['accepted']);
  expect(consortium.application.info().validators).toEqual(before);
});

test('LED-21: of one key so many contradictions are kept, then no more', () => {
  const consortium = new Consortium();
  const spoken = Array.from({ length: MISBEHAVIOURS_MAX + 1 }, (_, engineHeight) =>
    report(contradiction({ engineHeight })),
  );
  const outcomes = consortium.say(...spoken);
  expect(outcomes.slice(0, -1)).toEqual(Array(MISBEHAVIOURS_MAX).fill('accepted'));
  expect(outcomes.at(-1)).toBe('membership/too-many-reports');
});

test('golden bytes: the record of a contradiction and the votes it speaks of', () => {
  const record = misbehaviourCodec.encode({
    kind: 'commit',
    engineHeight: 7,
    view: 1,
    organization: hospital,
    reportedBy: clinic,
    report: one,
  });
  expect({
    record: toHex(sha256(record)),
    prePrepare: toHex(
      sha256(voteBytes({ kind: 'pre-prepare', chain, engineHeight: 7, view: 1, digest: one })),
    ),
    prepare: toHex(sha256(voteBytes({ kind: 'prepare', chain, engineHeight: 7, view: 1, digest: one }))),
  }).toMatchInlineSnapshot(`
    {
      "prePrepare": "1c0346c70a992db18adf276c263b99a4ff96c897a2743533d1c7cedd640a24a6",
      "prepare": "1f055bd21b897c8c96647496e4a7fd5017592452881a60259e1faebe51bb748c",
      "record": "b5a4f8da376d006c051a028a937c70ef28d339df19cd577523422b342bcb7857",
    }
  `);
});
