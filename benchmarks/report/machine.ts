import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem, type } from 'node:os';

/** Where a result comes from: without it the numbers mean nothing. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  /** Of the folder in which the nodes keep their blocks. */
  readonly filesystem: string;
  readonly node: string;
  readonly libraries: Readonly<Record<string, string>>;
  readonly commit: string;
}

const LIBRARIES = ['sodium-native', 'lmdb', '@noble/hashes', 'fastify'];

function output(command: string, parameters: readonly string[], cwd?: string): string {
  const { stdout, status } = spawnSync(command, parameters, { encoding: 'utf8', ...(cwd && { cwd }) });
  return status === 0 ? stdout.trim() : 'unknown';
}

/** @param root The repository: its versions and its commit. */
export function describeMachine(root: string): Machine {
  const [first, ...others] = cpus();
  const versions = LIBRARIES.map((name) => {
    const { version } = JSON.parse(readFileSync(`${root}/node_modules/${name}/package.json`, 'utf8')) as {
      readonly version: string;
    };
    return [name, version] as const;
  });
  const changed = output('git', ['status', '--porcelain', '--untracked-files=no'], root) !== '';
  return {
    processor: first?.model.trim() ?? 'unknown',
    cores: others.length + 1,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    filesystem: output('stat', ['--file-system', '--format=%T', tmpdir()]),
    node: process.version,
    libraries: Object.fromEntries(versions),
    commit: `${output('git', ['rev-parse', '--short', 'HEAD'], root)}${changed ? ' with changes' : ''}`,
  };
}
