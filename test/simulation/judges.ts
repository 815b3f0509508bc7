// What must hold in every schedule, and what is counted of it.
import type { Lease, LeaseCause } from "../../services/messages/domain/lease.ts";
import type { Connection } from "./connection.ts";
import type { Agenda } from "./time.ts";

export type Violation = { rule: string; what: string; atMs: number };

export type Tally = {
  frames: number;
  grants: number;
  /** A process was stopped between the last look and the write: its frame came after another's grant. */
  frozenFrames: number;
  /** A machine whose both clocks stood still sent what was begun long before. */
  lostTimeFrames: number;
  epochs: number;
  takeovers: Record<LeaseCause, number>;
};

type Grant = { term: number; atMs: number };

type NumberLog = {
  /** Of the newest terms, oldest first. */
  grants: Grant[];
  begun: Map<string, number>;
  framed: Set<string>;
  connections: Set<Connection>;
};

export class Judges {
  readonly violations: Violation[] = [];
  readonly tally: Tally = {
    frames: 0,
    grants: 0,
    frozenFrames: 0,
    lostTimeFrames: 0,
    epochs: 0,
    takeovers: {
      first: 0,
      released: 0,
      restarted: 0,
      expired: 0,
      revoked: 0,
      recovered: 0,
    },
  };
  readonly #agenda: Agenda;
  readonly #numbers = new Map<string, NumberLog>();
  /** When each number was without a holder, and until when. */
  readonly gaps: { number: string; lengthMs: number; from: "released" | "revoked" }[] = [];
  readonly #moving = new Map<string, number>();
  /** Numbers that may move at once by plan. */
  mostMoving = Number.POSITIVE_INFINITY;
  /** Whether an older epoch than this one holds the number. */
  waits: (number: string, epoch: number) => boolean = () => false;
  readonly #freeSince = new Map<string, { atMs: number; how: "released" | "revoked" }>();

  constructor(agenda: Agenda) {
    this.#agenda = agenda;
  }

  fail(rule: string, what: string): void {
    if (this.violations.length < 20) this.violations.push({ rule, what, atMs: this.#agenda.nowMs });
  }

  started(connection: Connection): void {
    this.#logOf(connection.number).connections.add(connection);
  }

  granted(number: string, { term, holder, bootId }: Lease, cause: LeaseCause): void {
    const log = this.#logOf(number);
    this.tally.grants += 1;
    this.tally.takeovers[cause] += 1;
    const last = log.grants.at(-1);
    if (last !== undefined && term <= last.term) this.fail("terms grow", `${number}: term ${term} after ${last.term}`);
    log.grants.push({ term, atMs: this.#agenda.nowMs });
    const since = this.#freeSince.get(number);
    if (since !== undefined) this.gaps.push({ number, lengthMs: this.#agenda.nowMs - since.atMs, from: since.how });
    this.#freeSince.delete(number);
    for (const other of log.connections) {
      if (!other.process.isAlive) {
        log.connections.delete(other);
        continue;
      }
      if (other.name === `${holder}/${bootId}` || other.machine.hasLostTime || other.machine.isPaused) continue;
      const leftMs = other.remainingMs();
      if (leftMs > 0) {
        this.fail(
          "one holder",
          `${number}: term ${term} granted to ${holder}/${bootId} (${cause}), while ${other.name} with term ${other.term} says that it may send for ${Math.round(leftMs)} ms`,
        );
      }
    }
  }

  ended(number: string, _term: number, how: "released" | "revoked"): void {
    this.#freeSince.set(number, { atMs: this.#agenda.nowMs, how });
  }

  begun(number: string, term: number, messageId: string): void {
    const log = this.#logOf(number);
    const newest = log.grants.at(-1)?.term ?? 0;
    if (term < newest)
      this.fail(
        "no begin of an older term",
        `${number}: ${messageId} begun by term ${term} after the grant of ${newest}`,
      );
    log.begun.set(messageId, term);
  }

  /** A message was written to the wire, whose last look at the clocks was at `gateAtMs`. */
  frame({
    connection,
    messageId,
    gateAtMs,
    wasStopped,
  }: {
    connection: Connection;
    messageId: string;
    gateAtMs: number;
    wasStopped: boolean;
  }): void {
    const { number, term, name, machine } = connection;
    const log = this.#logOf(number);
    this.tally.frames += 1;
    if (log.framed.has(messageId)) this.fail("sent once", `${number}: ${messageId} on the wire again, by ${name}`);
    log.framed.add(messageId);
    const begunBy = log.begun.get(messageId);
    if (begunBy !== term)
      this.fail(
        "begun before the wire",
        `${number}: ${messageId} on the wire by term ${term}, begun by ${begunBy ?? "nobody"}`,
      );
    const newer = log.grants.find((grant) => grant.term > term);
    if (newer === undefined) return;
    if (newer.atMs > gateAtMs && wasStopped) this.tally.frozenFrames += 1;
    else if (machine.hasLostTime) this.tally.lostTimeFrames += 1;
    else
      this.fail(
        "one sender",
        `${number}: ${messageId} on the wire by ${name} with term ${term}, ${Math.round(this.#agenda.nowMs - newer.atMs)} ms after the grant of term ${newer.term}`,
      );
  }

  /** A number left its pod for the next one. */
  advanced(number: string, from: number, epoch: number, why: string): void {
    const isPlanned =
      (why === "SpecChanged" || why === "NodeDraining") && this.waits(number, from + 1) && !this.waits(number, from);
    if (!isPlanned) return void this.#moving.delete(number);
    this.#moving.set(number, epoch);
    for (const [moved, to] of this.#moving) if (!this.waits(moved, to)) this.#moving.delete(moved);
    const moving = this.#moving.size;
    if (moving > this.mostMoving)
      this.fail("moves within the surge", `${moving} numbers move at once, at most ${this.mostMoving} may`);
  }

  statusWritten(number: string, uid: string, before: number, after: number): void {
    if (after < before) this.fail("epochs grow", `${number} (${uid}): epoch ${after} written over ${before}`);
    if (after > before) this.tally.epochs += 1;
  }

  #logOf(number: string): NumberLog {
    const found = this.#numbers.get(number);
    if (found !== undefined) return found;
    const log = { grants: [], begun: new Map(), framed: new Set<string>(), connections: new Set<Connection>() };
    this.#numbers.set(number, log);
    return log;
  }
}
