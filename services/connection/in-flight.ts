// The messages between Begin and their outcome.
import type { Held } from "./wire.ts";

export class InFlight {
  /** Since when each is on the wire, monotonic ms; undefined: not yet. */
  readonly #wireAtMs = new Map<Held, number | undefined>();
  #bulk = 0;

  get size(): number {
    return this.#wireAtMs.size;
  }

  /** Those of the bulk lane. */
  get bulk(): number {
    return this.#bulk;
  }

  add(held: Held): void {
    this.#wireAtMs.set(held, undefined);
    if (held.lane === "bulk") this.#bulk += 1;
  }

  /** Its first byte leaves. */
  toWire(held: Held, nowMs: number): void {
    this.#wireAtMs.set(held, nowMs);
  }

  isOnWire(held: Held): boolean {
    return this.#wireAtMs.get(held) !== undefined;
  }

  remove(held: Held): void {
    if (this.#wireAtMs.delete(held) && held.lane === "bulk") this.#bulk -= 1;
  }

  /** Whether one has been on the wire since before that time. */
  isAnySince(atMs: number): boolean {
    return [...this.#wireAtMs.values()].some((at) => at !== undefined && at < atMs);
  }
}
