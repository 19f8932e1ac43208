import type { SealedBlock } from './network.ts';

/** What one node has on disk. What was not synced is gone after a crash. */
export class Disk {
  #record: Uint8Array | undefined;
  #unsyncedRecord: Uint8Array | undefined;
  #blocks: SealedBlock[] = [];
  #unsyncedBlocks: SealedBlock[] = [];

  get record(): Uint8Array | undefined {
    return this.#record;
  }

  get blocks(): readonly SealedBlock[] {
    return this.#blocks;
  }

  writeRecord(bytes: Uint8Array): void {
    this.#unsyncedRecord = bytes;
  }

  appendBlock(block: SealedBlock): void {
    this.#unsyncedBlocks.push(block);
  }

  sync(): void {
    this.#record = this.#unsyncedRecord ?? this.#record;
    this.#blocks.push(...this.#unsyncedBlocks);
    this.loseUnsynced();
  }

  loseUnsynced(): void {
    this.#unsyncedRecord = undefined;
    this.#unsyncedBlocks = [];
  }
}
