// The messages service: its real decisions over rows in memory, each call one transaction, with the database's own clock.
import type { Message } from "../../services/messages/domain/accept.ts";
import type { Item } from "../../services/messages/domain/batch.ts";
import { type Asker, type Lease, isHolder } from "../../services/messages/domain/lease.ts";
import { isOpen, next } from "../../services/messages/domain/message.ts";
import type { Outcome, Policy } from "../../services/messages/domain/progress.ts";
import { between, type Reply, type World } from "./world.ts";

/** As the register of numbers tells of a lease. */
export type LeaseNews = {
  number: string;
  epoch: number;
  term: number;
  holder: string;
  isHeld: boolean;
  isLapsed: boolean;
};

export type Row = {
  number: string;
  lease: Lease;
  /** By the database's clock; of the term that it was written for. */
  renewal: { term: number; validUntilMs: number } | undefined;
  isLapsed: boolean;
  open: Map<string, Message>;
};

const policy: Policy = { unknownPolicy: "fail", unknownTimeoutMs: 600_000, finishTimeoutMs: 60_000 };
const neverHeld: Lease = { term: 0, epoch: 0, holder: "", bootId: "", address: "", state: "free", ended: undefined };
const epochMs = Date.UTC(2026, 0, 1);
const retrySlackMs = 20;
const claimLimit = 2;

export class Messages {
  readonly #world: World;
  isUp = true;
  /** A database whose clock was set; safe while it is less than the lease outlives the sending. */
  clockOffsetMs = 0;
  readonly rows = new Map<string, Row>();
  onNews: (news: LeaseNews) => void = () => undefined;
  /** Hints over NATS. */
  onHint: (number: string, hint: "fence" | "lease" | "wake") => void = () => undefined;
  readonly #late = new Map<string, () => void>();
  #drawn = 0;

  constructor(world: World) {
    this.#world = world;
    this.#lookForLapses();
  }

  get #nowMs(): number {
    return this.#world.agenda.nowMs + this.clockOffsetMs;
  }

  /** By the database's wall clock. */
  get nowMs(): number {
    return this.#now.getTime();
  }

  get #now(): Date {
    return new Date(epochMs + this.#nowMs);
  }

  row(number: string): Row {
    const found = this.rows.get(number);
    if (found !== undefined) return found;
    const row = { number, lease: neverHeld, renewal: undefined, isLapsed: false, open: new Map() };
    this.rows.set(number, row);
    return row;
  }

  isAlive({ renewal }: Row): boolean {
    return renewal !== undefined && renewal.validUntilMs > this.#nowMs;
  }

  newsOf({ number, lease, isLapsed }: Row): LeaseNews | undefined {
    const { epoch, term, holder, state } = lease;
    if (holder === "") return undefined;
    return { number, epoch, term, holder, isHeld: state !== "free", isLapsed: state !== "free" && isLapsed };
  }

  /** A client's message; nobody else than this number sends it. */
  accept(number: string): string {
    const messageId = `m${(this.#drawn += 1)}`;
    const now = this.#now;
    this.row(number).open.set(messageId, messageOf(messageId, number, now));
    this.#hint(number, "wake");
    return messageId;
  }

  /** A request that the network held back until then. */
  afterNextGrant(number: string, run: () => void): void {
    this.#late.set(number, run);
  }

  acquire(
    number: string,
    asker: Asker,
  ): Reply<{ kind: "granted"; term: number } | { kind: "held"; retryAfterMs: number }> {
    const { rules, judges, trace } = this.#world;
    const row = this.row(number);
    const remainingMs = Math.max(0, (row.renewal?.validUntilMs ?? 0) - this.#nowMs);
    const decision = rules.decideLease(row.lease, remainingMs > 0, asker);
    switch (decision.kind) {
      case "fenced":
        return { ok: false, why: "fenced" };
      case "held":
        if (decision.handOver) {
          row.lease = { ...row.lease, state: "draining" };
          this.#hint(number, "fence");
        }
        return {
          ok: true,
          value: { kind: "held", retryAfterMs: Math.min(rules.times.renewEveryMs, remainingMs + retrySlackMs) },
        };
      case "kept": {
        const { term } = row.lease;
        row.renewal = { term, validUntilMs: this.#nowMs + rules.times.leaseMs };
        return { ok: true, value: { kind: "granted", term } };
      }
      case "granted": {
        const { lease, cause } = decision;
        row.lease = lease;
        row.renewal = { term: lease.term, validUntilMs: this.#nowMs + rules.times.leaseMs };
        row.isLapsed = false;
        for (const message of row.open.values())
          this.#save(row, next(message, { kind: "takeover", term: lease.term }, this.#now, policy).row);
        trace(
          () =>
            `messages: ${number} term ${lease.term} to ${lease.holder}/${lease.bootId} epoch ${lease.epoch}, ${cause}`,
        );
        judges.granted(number, lease, cause);
        const late = this.#late.get(number);
        if (late !== undefined) this.#world.agenda.after(0.5, late);
        this.#late.delete(number);
        this.#tell(row);
        return { ok: true, value: { kind: "granted", term: lease.term } };
      }
    }
  }

  renew(number: string, term: number): Reply<{ handOver: boolean; workDue: boolean }> {
    const row = this.row(number);
    if (row.renewal?.term !== term) return { ok: false, why: "fenced" };
    row.renewal.validUntilMs = this.#nowMs + this.#world.rules.times.leaseMs;
    return { ok: true, value: { handOver: row.lease.state === "draining", workDue: row.open.size > 0 } };
  }

  end(number: string, term: number, how: "released" | "revoked"): Reply<boolean> {
    const row = this.row(number);
    if (!isHolder(row.lease, term)) return { ok: true, value: false };
    row.lease = { ...row.lease, state: "free", ended: how };
    row.renewal = undefined;
    row.isLapsed = false;
    this.#world.trace(() => `messages: ${number} term ${term} ${how}`);
    this.#world.judges.ended(number, term, how);
    this.#tell(row);
    this.#hint(number, "lease");
    return { ok: true, value: true };
  }

  claim(number: string, term: number, held: ReadonlySet<string>): Reply<{ messageId: string; attempt: number }[]> {
    const row = this.row(number);
    if (!isHolder(row.lease, term)) return { ok: false, why: "fenced" };
    const now = this.#now;
    const due: { messageId: string; attempt: number }[] = [];
    for (const { messageId, state, dueAt, attempt } of row.open.values()) {
      if ((state !== "accepted" && state !== "waiting") || dueAt > now || held.has(messageId)) continue;
      due.push({ messageId, attempt: attempt + 1 });
      if (due.length === claimLimit) break;
    }
    return { ok: true, value: due };
  }

  begin(number: string, term: number, messageId: string, attempt: number): Reply<boolean> {
    const row = this.row(number);
    const attempts = [{ messageId, attempt }];
    const answer = this.#decide(row, { kind: "begin", phoneNumberId: number, term, attempts });
    if (answer?.kind === "refused") return { ok: false, why: "fenced" };
    const isBegun = answer?.kind === "begun" && answer.messageIds.includes(messageId);
    if (isBegun) this.#world.judges.begun(number, term, messageId);
    return { ok: true, value: isBegun };
  }

  finish(
    number: string,
    term: number,
    messageId: string,
    attempt: number,
    outcome: "taken" | "unknown" | "wait",
  ): Reply<true> {
    const at = this.#now;
    const outcomes = {
      taken: { kind: "taken", wamid: `wamid.${messageId}.${attempt}` },
      unknown: { kind: "unknown", reason: "connection_cut" },
      wait: { kind: "wait", until: at, reason: "not_on_wire" },
    } satisfies Record<string, Outcome>;
    const told = { messageId, attempt, at, outcome: outcomes[outcome] };
    this.#decide(this.row(number), { kind: "finish", phoneNumberId: number, term, outcomes: [told] });
    return { ok: true, value: true };
  }

  #decide(row: Row, item: Item) {
    const { answers, changed } = this.#world.rules.decideBatch([item], {
      leases: new Map([[row.number, row.lease]]),
      messages: row.open,
      keys: new Map(),
      policyOf: () => policy,
      isPassThrough: () => false,
      now: this.#now,
    });
    for (const { message } of changed) this.#save(row, message);
    return answers[0];
  }

  #save(row: Row, message: Message): void {
    if (isOpen(message)) row.open.set(message.messageId, message);
    else row.open.delete(message.messageId);
  }

  /** Tells of leases whose time ran out, and of those renewed after it did; gives up what nobody finished. */
  #lookForLapses(): void {
    this.#world.agenda.after(between(this.#world, 900, 1_100), () => {
      if (this.isUp) {
        for (const row of this.rows.values()) {
          const isLapsed = row.lease.state !== "free" && !this.isAlive(row);
          if (isLapsed === row.isLapsed) continue;
          row.isLapsed = isLapsed;
          this.#world.trace(
            () => `messages: ${row.number} term ${row.lease.term} ${isLapsed ? "lapsed" : "renewed again"}`,
          );
          this.#tell(row);
        }
      }
      this.#lookForLapses();
    });
  }

  #tell(row: Row): void {
    const news = this.newsOf(row);
    if (news !== undefined) this.onNews(news);
  }

  #hint(number: string, hint: "fence" | "lease" | "wake"): void {
    if (this.#world.random() >= this.#world.hintLoss) this.onHint(number, hint);
  }
}

function messageOf(messageId: string, phoneNumberId: string, now: Date): Message {
  return {
    messageId,
    phoneNumberId,
    recipient: "15550000001",
    lane: "reply",
    category: "",
    templateName: "",
    templateLanguage: "",
    campaign: "",
    clientCallbackData: "",
    acceptedAt: now,
    state: "accepted",
    attempt: 0,
    term: 0,
    dueAt: now,
    expiresAt: new Date(now.getTime() + 86_400_000),
    wamid: undefined,
    reason: "",
    error: undefined,
    pricing: undefined,
    sendingAt: undefined,
    sentAt: undefined,
    sentNewsAt: undefined,
    deliveredAt: undefined,
    readAt: undefined,
    failedAt: undefined,
  };
}
