#!/usr/bin/env node
import { argv } from 'node:process';
import { careledger } from './careledger.ts';

await careledger(argv.slice(2));
