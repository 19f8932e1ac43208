// Runs on whatever Node is there (20 or newer), before `npm start` and `npm test`: installs what is missing, once.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.careledger-installed');
const lock = readFileSync(join(root, 'package-lock.json'));
const wanted = `${createHash('sha256').update(lock).digest('hex')} ${process.platform} ${process.arch}`;

if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error(
    `Careledger needs Node 20 or newer to start (it then brings its own). This is ${process.version}.`,
  );
  process.exit(1);
}
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  console.error('Installing what Careledger needs (once) ...');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // Every binary comes as a package of its own, so no package's install script is needed, and none is run.
  const { status, error } = spawnSync(npm, ['ci', '--ignore-scripts', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error(
      `npm ci failed${error ? `: ${error.message}` : ''}. Check the connection to the registry and run the command again.`,
    );
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}
