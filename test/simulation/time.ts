// Virtual time: one agenda for everything that happens, machines whose clocks stand still or jump, processes that freeze and die.

/** 0 inclusive to 1 exclusive. */
export type Random = () => number;

/** The same seed gives the same chances on every machine. */
export function createRandom(seed: number): Random {
  let state = (seed * 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Entry = { atMs: number; order: number; run: () => void; isCancelled: boolean };

/** What is to happen, by time, then in the order it was asked for. */
export class Agenda {
  nowMs = 0;
  ran = 0;
  readonly #heap: Entry[] = [];
  #order = 0;

  after(delayMs: number, run: () => void): () => void {
    const entry = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order++, run, isCancelled: false };
    this.#push(entry);
    return () => {
      entry.isCancelled = true;
    };
  }

  runUntil(endMs: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.atMs <= endMs; first = this.#heap[0]) {
      this.#pop();
      if (first.isCancelled) continue;
      this.nowMs = first.atMs;
      this.ran += 1;
      first.run();
    }
    this.nowMs = endMs;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, entry)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        child += 1;
        least = right;
      }
      if (isBefore(last, least)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

const epochWallMs = Date.UTC(2026, 0, 1);

/** A machine with its clocks and what it can reach. */
export class Machine {
  readonly name: string;
  readonly #agenda: Agenda;
  reachesApi = true;
  reachesMessages = true;
  isPaused = false;
  /** Both clocks stood still at some time: nothing on the machine could notice. */
  hasLostTime = false;
  #monotonicLostMs = 0;
  #wallOffsetMs = 0;
  readonly #held: (() => void)[] = [];

  constructor(name: string, agenda: Agenda, wallOffsetMs: number) {
    this.name = name;
    this.#agenda = agenda;
    this.#wallOffsetMs = wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#agenda.nowMs - this.#monotonicLostMs;
  }

  wallMs(): number {
    return epochWallMs + this.#agenda.nowMs + this.#wallOffsetMs;
  }

  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Nothing runs on it for that long. `isNoticed`: its wall clock went on. */
  pause(forMs: number, isNoticed: boolean): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.#agenda.after(forMs, () => {
      this.isPaused = false;
      this.#monotonicLostMs += forMs;
      if (!isNoticed) {
        this.#wallOffsetMs -= forMs;
        this.hasLostTime = true;
      }
      for (const run of this.#held.splice(0)) run();
    });
  }

  hold(run: () => void): void {
    this.#held.push(run);
  }
}

/** Something that runs on a machine. Timers of a frozen one fire when it goes on, those of a dead one never. */
export class Process {
  readonly machine: Machine;
  readonly #agenda: Agenda;
  isAlive = true;
  isFrozen = false;
  /** How often it was frozen, or its machine paused, when something was looked at. */
  freezes = 0;
  readonly #held: (() => void)[] = [];

  constructor(machine: Machine, agenda: Agenda) {
    this.machine = machine;
    this.#agenda = agenda;
  }

  after(delayMs: number, run: () => void): () => void {
    const step = (): void => {
      if (!this.isAlive) return;
      if (this.machine.isPaused) this.machine.hold(step);
      else if (this.isFrozen) this.#held.push(step);
      else run();
    };
    return this.#agenda.after(delayMs, step);
  }

  freeze(forMs: number): void {
    if (this.isFrozen || !this.isAlive) return;
    this.isFrozen = true;
    this.freezes += 1;
    this.#agenda.after(forMs, () => {
      this.isFrozen = false;
      for (const step of this.#held.splice(0)) step();
    });
  }

  get runs(): boolean {
    return this.isAlive && !this.isFrozen && !this.machine.isPaused;
  }

  kill(): void {
    this.isAlive = false;
  }
}
