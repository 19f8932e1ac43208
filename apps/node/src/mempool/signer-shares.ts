/** Whose transactions wait, counted by the key that signed them. */
export class SignerShares {
  readonly #signers = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  countOf(signer: string): number {
    return this.#counts.get(signer) ?? 0;
  }

  add(id: string, signer: string): void {
    this.#signers.set(id, signer);
    this.#counts.set(signer, this.countOf(signer) + 1);
  }

  /** Ids that are not here are passed over. */
  remove(id: string): void {
    const signer = this.#signers.get(id);
    if (signer === undefined) return;
    this.#signers.delete(id);
    const left = this.countOf(signer) - 1;
    if (left > 0) this.#counts.set(signer, left);
    else this.#counts.delete(signer);
  }
}
