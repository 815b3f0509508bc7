// What a connection process sends under its lease: Begin, the last look, the wire, which is judged, and the outcome.
import { type Backoff, backoffMs } from "../../services/connection/domain/backoff.ts";
import type { Clocks } from "../../services/connection/domain/lease-clock.ts";
import type { Connection } from "./connection.ts";
import type { Messages } from "./messages.ts";
import { between, type Reply, type World } from "./world.ts";

type Carried = { messageId: string; attempt: number; isOnWire: boolean; begunAt: Clocks };
type Outcome = "taken" | "unknown" | "wait";

type Options = {
  world: World;
  messages: Messages;
  connection: Connection;
  clocks: () => Clocks;
  call: <T>(deadlineMs: number, handle: () => Reply<T>, done: (reply: Reply<T>) => void) => void;
  onFenced: () => void;
};

const deadlineMs = 2_000;
const beginRetry: Backoff = { firstMs: 50, factor: 2, maxMs: 1_000 };
const mostInFlight = 2;

export class Sending {
  readonly #options: Options;
  /** Called right before the first byte. */
  onGate: (() => void) | undefined;
  /** The next Begin is on its way, a second time, until another term was granted. */
  isBeginLate = false;
  #isCut = false;
  #isClaiming = false;
  readonly #inFlight = new Map<string, Carried>();
  #unreported = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Nothing is on its way to the wire, or on it. */
  get isQuiet(): boolean {
    return this.#inFlight.size === 0;
  }

  get isUnreported(): boolean {
    return this.#unreported > 0;
  }

  /** Asks for what is due, and sends it. */
  claim(): void {
    const { connection, messages, call, onFenced } = this.#options;
    const { number, term } = connection;
    if (!this.#isHeld() || this.#isClaiming || this.#inFlight.size >= mostInFlight) return;
    if (connection.remainingMs() <= 0) return;
    this.#isClaiming = true;
    const held = new Set(this.#inFlight.keys());
    call(
      deadlineMs,
      () => messages.claim(number, term, held),
      (reply) => {
        this.#isClaiming = false;
        if (!reply.ok) return reply.why === "fenced" ? onFenced() : undefined;
        if (!this.#isHeld()) return;
        for (const { messageId, attempt } of reply.value) this.#begin({ messageId, attempt });
      },
    );
  }

  /** Ends what is on the wire. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    for (const carried of this.#inFlight.values()) this.#settle(carried, carried.isOnWire ? "unknown" : "wait");
  }

  #isHeld(): boolean {
    return this.#options.connection.state.tag === "held";
  }

  #begin({ messageId, attempt }: { messageId: string; attempt: number }): void {
    const { connection, clocks, world } = this.#options;
    if (connection.remainingMs() <= 0) return;
    const carried: Carried = { messageId, attempt, isOnWire: false, begunAt: clocks() };
    this.#inFlight.set(messageId, carried);
    if (world.rules.beginsFirst) return this.#askBegin(carried, 1);
    this.#connect(carried);
    this.#askBegin(carried, 1);
  }

  #askBegin(carried: Carried, failures: number): void {
    const { connection, messages, world, clocks, call } = this.#options;
    const { messageId, attempt } = carried;
    const { number, process } = connection;
    carried.begunAt = clocks();
    const begin = (): Reply<boolean> => messages.begin(number, connection.term, messageId, attempt);
    if (this.isBeginLate) {
      messages.afterNextGrant(number, () => void begin());
      this.isBeginLate = false;
    }
    const isAhead = !world.rules.beginsFirst;
    call(deadlineMs, begin, (reply) => {
      if (isAhead) return;
      if (reply.ok) return reply.value ? this.#connect(carried) : this.#settle(carried, undefined);
      if (reply.why === "fenced") return this.#fencedAtBegin(carried, failures);
      if (this.#isCut) return this.#settle(carried, "wait");
      process.after(backoffMs(beginRetry, failures, world.random()), () => {
        if (this.#isCut) this.#settle(carried, "wait");
        else this.#askBegin(carried, failures + 1);
      });
    });
  }

  /** Certain after the first call only that nothing was written. */
  #fencedAtBegin(carried: Carried, failures: number): void {
    this.#settle(carried, failures === 1 ? undefined : "wait");
    if (failures === 1) this.#options.onFenced();
  }

  #connect(carried: Carried): void {
    const { connection, world, clocks } = this.#options;
    const { process } = connection;
    process.after(between(world, 0.2, 2) * world.connectMs, () => {
      const may = world.rules.mayGoOnWire(connection.remainingMs(), carried.begunAt, clocks());
      if (!may || this.#isCut) return this.#settle(carried, "wait");
      const gateAtMs = world.agenda.nowMs;
      const { freezes } = process;
      this.onGate?.();
      // Between the last look and the write to the socket nothing waits; but a process may be stopped there.
      process.after(0.05, () => {
        carried.isOnWire = true;
        const wasStopped = process.freezes > freezes || world.agenda.nowMs - gateAtMs > 1;
        world.judges.frame({ connection, messageId: carried.messageId, gateAtMs, wasStopped });
        this.#awaitAnswer(carried);
      });
    });
  }

  #awaitAnswer(carried: Carried): void {
    const { connection, world } = this.#options;
    const isLost = world.random() < 0.01;
    connection.process.after(isLost ? 30_000 : between(world, 20, 200), () =>
      this.#settle(carried, isLost ? "unknown" : "taken"),
    );
  }

  #settle(carried: Carried, outcome: Outcome | undefined): void {
    if (!this.#inFlight.delete(carried.messageId)) return;
    if (outcome !== undefined) {
      this.#unreported += 1;
      this.#report(carried, outcome);
    }
    this.claim();
  }

  #report(carried: Carried, outcome: Outcome): void {
    const { connection, messages, call } = this.#options;
    const { number, term } = connection;
    call(
      deadlineMs,
      () => messages.finish(number, term, carried.messageId, carried.attempt, outcome),
      (reply) => {
        if (reply.ok) this.#unreported -= 1;
        else connection.process.after(500, () => this.#report(carried, outcome));
      },
    );
  }
}
