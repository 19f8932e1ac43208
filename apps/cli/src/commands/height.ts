import { InvalidArgumentError } from 'commander';

/** A block height on the command line. @throws InvalidArgumentError for anything but a whole number from 1. */
export function heightOf(text: string): number {
  const height = Number(text);
  if (Number.isSafeInteger(height) && height > 0) return height;
  throw new InvalidArgumentError('A height is a whole number from 1.');
}
