/** What went wrong, for a program (`code`) and for a person (`message`, `help`). */
export class ClientError extends Error {
  override readonly name: string = 'ClientError';
  readonly code: string;
  readonly help: string;

  constructor(code: string, message: string, help: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.help = help;
  }
}

/** The node's answer is not proven: it lies, is damaged, or speaks of another chain. Nothing of it was believed. */
export class ProofMismatchError extends ClientError {
  override readonly name = 'ProofMismatchError';
  /** Which part does not hold. */
  readonly part: string;

  constructor(part: string, detail: string) {
    super(
      'client/proof-mismatch',
      `The node's answer is not proven: ${part} (${detail}).`,
      'Ask another node. If this one belongs to a member, tell its operator.',
    );
    this.part = part;
  }
}

/** The answer is proven, but under a header older than one this client has already seen. */
export class StaleAnswerError extends ClientError {
  override readonly name = 'StaleAnswerError';

  constructor(answered: number, known: number) {
    super(
      'client/stale-answer',
      `The node answered as of height ${answered}, but height ${known} is already final.`,
      'Ask again later, or another node.',
    );
  }
}

/** This node shows no such thing. That is its word, not a proof that there is none. */
export class NotShownError extends ClientError {
  override readonly name = 'NotShownError';

  constructor(subject: string) {
    super(
      'client/not-shown',
      `The node shows no such ${subject}. Its word alone does not prove that there is none.`,
      'Ask another node, or later: it may not be final yet.',
    );
  }
}

/** The node refused the request. `code` is the node's own. */
export class NodeRefusedError extends ClientError {
  override readonly name = 'NodeRefusedError';
  readonly status: number;

  constructor(options: {
    readonly status: number;
    readonly code: string;
    readonly message: string;
    readonly help: string;
  }) {
    super(options.code, options.message, options.help);
    this.status = options.status;
  }
}

/** The transaction stands in a final block, and was refused by the rules. */
export class TransactionRefusedError extends ClientError {
  override readonly name = 'TransactionRefusedError';
  /** The permanent result code. */
  readonly resultCode: number;

  constructor(resultCode: number) {
    super(
      'client/transaction-refused',
      `The ledger refused the transaction with result code ${resultCode}.`,
      'The capability of its type lists what each code means.',
    );
    this.resultCode = resultCode;
  }
}

/** No usable answer came. */
export class TransportError extends ClientError {
  override readonly name = 'TransportError';

  constructor(cause?: unknown) {
    super(
      'client/unreachable',
      'The node gave no usable answer.',
      'Is it running? Is its address right?',
      cause,
    );
  }
}
