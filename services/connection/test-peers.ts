// The peers of a connection process, scripted: real gRPC servers whose ledger is a map that a test fills and reads.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import { type Handlers, serve, type Service, startGrpc } from "#lib/grpc.ts";
import { createRegistry } from "#lib/http.ts";
import type { ContentSchema } from "#proto/heliograph/messages/v1/content_pb.ts";
import {
  type AcquireRequest,
  type BeginRequest,
  type ClaimRequest,
  Lane,
  MessagesService,
  type NumberSpecSchema,
  type Outcome,
  type RenewRequest,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { testLog } from "#test/env/log.ts";
import type { FactPeers } from "./test-facts.ts";

export const phoneNumberId = "100200300";
export const wabaId = "900800700";

export type Row = {
  messageId: string;
  seq: number;
  recipient: string;
  lane: Lane;
  content: MessageInitShape<typeof ContentSchema>;
  acceptedAt: Date;
  lastInboundAt: Date | undefined;
  expiresAt: Date | undefined;
  state: "accepted" | "waiting" | "sending" | "done";
  dueAt: Date;
  attempt: number;
  /** Everything that was reported, in order. */
  outcomes: Outcome[];
};

/** What was reported last of a message: the kind, and the word that goes with it. */
export function reported(row: Row): string {
  const kind = row.outcomes.at(-1)?.kind;
  switch (kind?.case) {
    case "taken":
      return `taken ${kind.value.wamid}`;
    case "refused":
      return `refused ${kind.value.reason} ${kind.value.error?.code}`;
    case "wait":
    case "unknown":
      return `${kind.case} ${kind.value.reason}`;
    default:
      return kind?.case ?? "";
  }
}

type Rpc = "acquire" | "renew" | "release" | "claim" | "begin" | "finish";

/** The messages service, as far as a connection process sees it. */
export class MessagesPeer {
  readonly rows = new Map<string, Row>();
  readonly calls: Record<Rpc, number> = { acquire: 0, renew: 0, release: 0, claim: 0, begin: 0, finish: 0 };
  /** These answer UNAVAILABLE: `before` nothing was done, `after` it was, and only the answer is lost. */
  readonly away = new Map<Rpc, "before" | "after">();
  spec: MessageInitShape<typeof NumberSpecSchema> = { messagesPerSecond: 500 };
  stopAfterMs = 10_000;
  renewEveryMs = 5_000;
  term = 0n;
  holder: string | undefined;
  address = "";
  handOver = false;
  /** What the holder said with its last renewal, and all that it said so far. */
  standing = "";
  readonly standings = new Set<string>();
  /** As the ledger has it, by renewals and releases. */
  wasRegistered = false;
  /** Most messages that a claim's answer may have left in memory, in one lane. */
  mostAllowed = 0;
  /** Called in Begin, after the commit. */
  onBegin: () => void = () => undefined;
  /** Someone waits for the number; the number became free. */
  onFence: () => void = () => undefined;
  onFree: () => void = () => undefined;
  #nextId = 1;

  accept(changes: Partial<Row> = {}): Row {
    const now = new Date();
    const row: Row = {
      messageId: `01890000-0000-7000-8000-${String(this.#nextId).padStart(12, "0")}`,
      seq: this.#nextId,
      recipient: "15550001111",
      lane: Lane.REPLY,
      content: { kind: { case: "text", value: { body: `text ${this.#nextId}`, previewUrl: false } } },
      acceptedAt: now,
      lastInboundAt: now,
      expiresAt: undefined,
      state: "accepted",
      dueAt: now,
      attempt: 0,
      outcomes: [],
      ...changes,
    };
    this.#nextId += 1;
    this.rows.set(row.messageId, row);
    return row;
  }

  /** As Revoke and another's Acquire would: the present holder is fenced from now on. */
  grantToAnother(): void {
    this.term += 1n;
    this.holder = "another";
  }

  service(): Service {
    const handlers: Handlers<typeof MessagesService> = {
      acquire: (request) => this.#answer("acquire", () => this.#acquire(request)),
      renew: (request) => this.#answer("renew", () => this.#renew(request)),
      release: ({ term, wasRegistered }) =>
        this.#answer("release", () => {
          if (term === this.term) this.holder = undefined;
          this.wasRegistered = wasRegistered ?? this.wasRegistered;
          this.handOver = false;
          this.onFree();
          return {};
        }),
      claim: (request) => this.#answer("claim", () => this.#claim(request)),
      begin: (request) => this.#answer("begin", () => this.#begin(request)),
      finish: ({ outcomes }) =>
        this.#answer("finish", () => {
          for (const outcome of outcomes) this.#finish(outcome);
          return {};
        }),
    };
    return serve(MessagesService, handlers);
  }

  async #answer<T>(rpc: Rpc, run: () => T): Promise<T> {
    this.calls[rpc] += 1;
    const how = this.away.get(rpc);
    const lost = (): ServiceError => new ServiceError("UNAVAILABLE", "database_unavailable", `${rpc} is away`);
    if (how === "before") throw lost();
    const answer = run();
    if (how === "after") throw lost();
    return answer;
  }

  #acquire({ holder, address, takeOver }: AcquireRequest) {
    if (this.holder !== undefined && this.holder !== holder) {
      this.handOver ||= takeOver;
      if (takeOver) this.onFence();
      return { result: { case: "held" as const, value: { holder: this.holder, retryAfterMs: 60_000 } } };
    }
    this.holder = holder;
    this.address = address;
    this.term += 1n;
    const { term, stopAfterMs, renewEveryMs } = this;
    const value = { term, stopAfterMs, renewEveryMs, cause: "first", number: this.#number() };
    return { result: { case: "granted" as const, value } };
  }

  #number() {
    return {
      phoneNumberId,
      wabaId,
      displayPhoneNumber: "15559990000",
      spec: this.spec,
      connection: {
        standing: this.standing === "conflict" ? this.standing : "",
        ...(this.wasRegistered && { registeredSeenAt: timestampFromDate(new Date(0)) }),
      },
    };
  }

  #checkTerm(term: bigint): void {
    if (term !== this.term) throw new ServiceError("FAILED_PRECONDITION", "fenced", `term is ${this.term} now`);
  }

  #renew({ term, standing, wasRegistered }: RenewRequest) {
    this.#checkTerm(term);
    this.standing = standing;
    this.standings.add(standing);
    this.wasRegistered = wasRegistered ?? this.wasRegistered;
    return { workDue: this.#due().length > 0, handOver: this.handOver, number: this.#number() };
  }

  #due(): Row[] {
    const now = new Date();
    const isOpen = ({ state }: Row): boolean => state === "accepted" || state === "waiting";
    const waitedFor = new Set<string>();
    return [...this.rows.values()].filter(isOpen).filter(({ state, recipient, dueAt }) => {
      const isBehind = waitedFor.has(recipient);
      if (state === "waiting") waitedFor.add(recipient);
      return dueAt <= now && !isBehind;
    });
  }

  #claim({ term, heldMessageIds, replyLimit, bulkLimit }: ClaimRequest) {
    this.#checkTerm(term);
    const held = new Set(heldMessageIds);
    const due = this.#due().filter(({ messageId }) => !held.has(messageId));
    const inMemory = (lane: Lane): number => heldMessageIds.filter((id) => this.rows.get(id)?.lane === lane).length;
    this.mostAllowed = Math.max(this.mostAllowed, replyLimit + inMemory(Lane.REPLY), bulkLimit + inMemory(Lane.BULK));
    const inLane = (lane: Lane, limit: number): Row[] => due.filter((row) => row.lane === lane).slice(0, limit);
    const waiting = [...this.rows.values()].filter(({ state, dueAt }) => state === "waiting" && dueAt > new Date());
    const nextDueMs = Math.min(...waiting.map(({ dueAt }) => dueAt.getTime()));
    return {
      messages: [...inLane(Lane.REPLY, replyLimit), ...inLane(Lane.BULK, bulkLimit)].map(toClaimed),
      ...(waiting.length > 0 && { nextDueAt: timestampFromDate(new Date(nextDueMs)) }),
    };
  }

  #begin({ term, attempts }: BeginRequest) {
    this.#checkTerm(term);
    const begun = attempts.filter(({ messageId, attempt }) => {
      const row = this.rows.get(messageId);
      if (row?.state === "sending") return row.attempt === attempt;
      if (row === undefined || row.state === "done" || row.attempt + 1 !== attempt) return false;
      Object.assign(row, { state: "sending", attempt });
      return true;
    });
    this.onBegin();
    return { messageIds: begun.map(({ messageId }) => messageId) };
  }

  #finish(outcome: Outcome): void {
    const row = this.rows.get(outcome.messageId);
    if (row === undefined) return;
    row.outcomes.push(outcome);
    const { kind } = outcome;
    if (kind.case !== "wait") row.state = "done";
    else if (kind.value.until !== undefined)
      Object.assign(row, { state: "waiting", dueAt: timestampDate(kind.value.until) });
  }
}

function toClaimed(row: Row) {
  return {
    messageId: row.messageId,
    seq: BigInt(row.seq),
    wasWaiting: row.state === "waiting",
    attempt: row.attempt + 1,
    lane: row.lane,
    recipient: row.recipient,
    content: row.content,
    acceptedAt: timestampFromDate(row.acceptedAt),
    ...(row.expiresAt !== undefined && { expiresAt: timestampFromDate(row.expiresAt) }),
    ...(row.lastInboundAt !== undefined && { lastInboundAt: timestampFromDate(row.lastInboundAt) }),
  };
}

/** All four on one port. */
export function startPeers(messages: MessagesPeer, facts: FactPeers) {
  return startGrpc({
    host: "127.0.0.1",
    port: 0,
    services: [messages.service(), ...facts.services()],
    log: testLog,
    registry: createRegistry("peers"),
  });
}
