import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Access } from './access.ts';

const FILE = 'access-denials.jsonl';
const FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Entries written in one second; a flood beyond it is counted, so that nobody fills the disk. */
const ENTRIES_A_SECOND_MAX = 20;

/** One denied call. The route is a pattern and holds nothing of what was asked for; no address is kept. */
export interface DeniedCall {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly time: number;
  readonly permission: Access;
  readonly method: string;
  readonly route: string;
  readonly reason: string;
  readonly organization?: string;
  readonly publicKey?: string;
}

/** A denied call as it is kept: each names the hash of the one before, so that none can be taken out unseen. */
export interface DeniedEntry extends DeniedCall {
  readonly sequence: number;
  /** Denied calls since the entry before that were only counted. */
  readonly suppressed: number;
  readonly previous: string;
  readonly hash: string;
}

/** The denied calls of one node, in a file of JSON lines; the file before it is kept too. */
export class AccessJournal {
  readonly #path: string;
  #last: Pick<DeniedEntry, 'sequence' | 'hash'>;
  #second = 0;
  #writtenInSecond = 0;
  #suppressed = 0;
  /** Denied calls since the start. */
  denied = 0;

  constructor(folder: string) {
    this.#path = join(folder, FILE);
    this.#last = this.newest(1)[0] ?? { sequence: -1, hash: '0'.repeat(64) };
  }

  append(call: DeniedCall): void {
    this.denied += 1;
    const second = Math.floor(call.time / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#writtenInSecond = 0;
    }
    if (this.#writtenInSecond >= ENTRIES_A_SECOND_MAX) {
      this.#suppressed += 1;
      return;
    }
    this.#writtenInSecond += 1;
    const { sequence, hash: previous } = this.#last;
    const content = { ...call, sequence: sequence + 1, suppressed: this.#suppressed, previous };
    const entry: DeniedEntry = { ...content, hash: hashOf(content) };
    this.#suppressed = 0;
    if (existsSync(this.#path) && statSync(this.#path).size > FILE_BYTES_MAX) {
      renameSync(this.#path, `${this.#path}.1`);
    }
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    this.#last = entry;
  }

  /** The newest entries, the oldest of them first. */
  newest(count: number): readonly DeniedEntry[] {
    const lines = [`${this.#path}.1`, this.#path]
      .filter((path) => existsSync(path))
      .flatMap((path) => readFileSync(path, 'utf8').split('\n'));
    return lines
      .filter(isWhole)
      .slice(-count)
      .map((line) => JSON.parse(line) as DeniedEntry);
  }
}

/** A line that the disk took in part was never told to anybody. */
function isWhole(line: string): boolean {
  return line.startsWith('{') && line.endsWith('}');
}

/** SHA-256 over the entry without its own hash. */
export function hashOf(content: Omit<DeniedEntry, 'hash'>): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex');
}
