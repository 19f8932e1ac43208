import { Command, CommanderError } from 'commander';
import { EXIT_USAGE } from './commands/output.ts';

/** A verb: listed always, loaded only when it is the one that runs, so that `--help` answers at once. */
interface Verb {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<(program: Command) => void>;
}

const VERBS: readonly Verb[] = [
  {
    name: 'start',
    description: 'start a consortium of four organizations on this machine and play the main job',
    load: async () => (await import('./commands/start.ts')).registerStart,
  },
  {
    name: 'status',
    description: "show where each member's node stands, and whether they agree",
    load: async () => (await import('./commands/status.ts')).registerStatus,
  },
  {
    name: 'token',
    description: 'print a bearer token of the local consortium, to try the FHIR APIs with curl',
    load: async () => (await import('./commands/token.ts')).registerToken,
  },
  {
    name: 'query',
    description: 'read the ledger; every answer is proven or refused',
    load: async () => (await import('./commands/query.ts')).registerQuery,
  },
  {
    name: 'blocks',
    description: 'list blocks by height, time, proposer and transaction type, each proven',
    load: async () => (await import('./commands/ledger-lists.ts')).registerBlocks,
  },
  {
    name: 'transactions',
    description: 'list transactions by type, signer, subject and time, each proven',
    load: async () => (await import('./commands/ledger-lists.ts')).registerTransactions,
  },
  {
    name: 'history',
    description: 'what a state key held from which block on, each change proven',
    load: async () => (await import('./commands/ledger-lists.ts')).registerHistory,
  },
  {
    name: 'dispute',
    description: 'what held for a state key at an instant, proven, the same from every node',
    load: async () => (await import('./commands/ledger-lists.ts')).registerDispute,
  },
  {
    name: 'watch',
    description: 'print final blocks as they come, each once, in order and proven',
    load: async () => (await import('./commands/ledger-lists.ts')).registerWatch,
  },
  {
    name: 'submit',
    description: 'sign a transaction, submit it, and wait for the proof that it is final',
    load: async () => (await import('./commands/submit.ts')).registerSubmit,
  },
  {
    name: 'prove',
    description: 'write a proof to a file that others check offline',
    load: async () => (await import('./commands/prove.ts')).registerProve,
  },
  {
    name: 'export',
    description: 'write an audit bundle of blocks that others check offline',
    load: async () => (await import('./commands/export.ts')).registerExport,
  },
  {
    name: 'match',
    description: 'check offline that a record is the one that its proof is about, and that it stands',
    load: async () => (await import('./commands/match.ts')).registerMatch,
  },
  {
    name: 'import',
    description: "bring existing FHIR data, from files or a FHIR server, into a running member's vault",
    load: async () => (await import('./commands/import.ts')).registerImport,
  },
  {
    name: 'drift',
    description: 'compare a source with the records that came from it: new, changed, missing, edited here',
    load: async () => (await import('./commands/import.ts')).registerDrift,
  },
  {
    name: 'bulk-export',
    description: "download a member's records as NDJSON, with the proofs of their origin",
    load: async () => (await import('./commands/bulk-export.ts')).registerBulkExport,
  },
  {
    name: 'keys',
    description: "a gateway's keys: rotate, rotate-master, back-up, restore",
    load: async () => (await import('./commands/keys.ts')).registerKeys,
  },
  {
    name: 'users',
    description: 'who may sign in at a member: list, add, set-password, remove',
    load: async () => (await import('./commands/users.ts')).registerUsers,
  },
  {
    name: 'explain',
    description: 'what an error code means, and what to do',
    load: async () => (await import('./commands/explain.ts')).registerExplain,
  },
  {
    name: 'verify',
    description: 'check a receipt, an audit bundle, a disclosure report or a state proof offline',
    load: async () => (await import('./commands/verify.ts')).registerVerify,
  },
];

function createProgram(): Command {
  return new Command('careledger')
    .description('A permissioned ledger for health care: who holds which record, who may see it, who saw it.')
    .version('0.1.0')
    .showHelpAfterError('Run `careledger --help` to see every verb, or `careledger VERB --help` for one.')
    .exitOverride();
}

/** Runs one command line. What went wrong stands on standard error and in the exit code. */
export async function careledger(words: readonly string[]): Promise<void> {
  const program = createProgram();
  const asked = words[0] === 'help' ? words[1] : words[0];
  for (const { name, description, load } of VERBS) {
    if (name === asked) (await load())(program);
    else program.command(name).description(description);
  }
  // Settings of the program hold for commands made after them; these were made before.
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  }
}
