/** The last quarter of a mempool is for those who hold less than an eighth of it: no signer keeps all others out. */
const CROWDED_PART = 3 / 4;
const SIGNER_PART = 1 / 8;

/** Whose transactions wait, counted by the key that signed them. */
export class SignerShares {
  readonly #signers = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  countOf(signer: string): number {
    return this.#counts.get(signer) ?? 0;
  }

  /** Has this signer to wait until there is more room? @param used Which part of the mempool is full, 0 to 1. */
  isOverShare(signer: string, used: number, countMax: number): boolean {
    return used > CROWDED_PART && this.countOf(signer) > SIGNER_PART * countMax;
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
