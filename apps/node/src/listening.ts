import { NodeError } from './errors.ts';

/** Listens on a port. @throws NodeError `node/port-in-use`. */
export async function listening(what: string, port: number, listen: () => Promise<number>): Promise<number> {
  try {
    return await listen();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new NodeError(
      'node/port-in-use',
      `the ${what} port ${port} is in use`,
      'Stop the other program, or choose another port with --port.',
      { cause },
    );
  }
}
