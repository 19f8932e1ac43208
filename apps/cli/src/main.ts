#!/usr/bin/env node
import { argv, exit, stdout } from 'node:process';
import { careledger } from './careledger.ts';

// `careledger blocks | head`: who reads has enough, and that is no fault.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') exit(0);
  throw error;
});
await careledger(argv.slice(2));
