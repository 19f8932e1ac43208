interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time: events in the order of their time, and of their arrival within one millisecond. */
export class EventQueue {
  #heap: Event[] = [];
  #order = 0;
  now = 0;

  after(delay: number, run: () => void): void {
    const event = { at: this.now + Math.max(0, delay), order: this.#order, run };
    this.#order += 1;
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
  }

  /** Runs events until virtual time `until` or until `done`. */
  run(until: number, done: () => boolean = () => false): void {
    for (let event = this.#heap[0]; event && event.at <= until; event = this.#heap[0]) {
      this.#removeFirst();
      this.now = event.at;
      event.run();
      if (done()) return;
    }
    this.now = until;
  }

  #isBefore(left: number, right: number): boolean {
    const [first, second] = [this.#heap[left], this.#heap[right]];
    if (!first || !second) return first !== undefined;
    return first.at < second.at || (first.at === second.at && first.order < second.order);
  }

  #swap(left: number, right: number): void {
    const [first, second] = [this.#heap[left], this.#heap[right]];
    if (!first || !second) return;
    this.#heap[left] = second;
    this.#heap[right] = first;
  }

  #rise(index: number): void {
    const parent = (index - 1) >> 1;
    if (index === 0 || !this.#isBefore(index, parent)) return;
    this.#swap(index, parent);
    this.#rise(parent);
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (!last || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #sink(index: number): void {
    const left = 2 * index + 1;
    const child = this.#isBefore(left + 1, left) ? left + 1 : left;
    if (child >= this.#heap.length || !this.#isBefore(child, index)) return;
    this.#swap(child, index);
    this.#sink(child);
  }
}
