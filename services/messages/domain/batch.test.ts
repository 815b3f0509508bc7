import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message, NewMessage } from "./accept.ts";
import { type Answer, decideBatch, type Item, keyOf, type Loaded, type SendItem, type StatusReport } from "./batch.ts";

const now = new Date("2026-03-02T10:00:00Z");

const fresh: NewMessage = {
  messageId: "m1",
  phoneNumberId: "101",
  recipient: "4915112345678",
  lane: "reply",
  category: "",
  templateName: "",
  templateLanguage: "",
  campaign: "",
  clientCallbackData: "",
  content: new Uint8Array(),
  contextMessageId: undefined,
  contextWamid: "",
  acceptedAt: now,
  state: "accepted",
  attempt: 0,
  term: 0,
  dueAt: now,
  expiresAt: new Date("2026-03-03T10:00:00Z"),
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
const earlier = new Date("2026-03-02T09:00:00Z");
const sending: Message = { ...fresh, state: "sending", attempt: 1, term: 7 };

function loaded(messages: Message[] = [], rest: Partial<Loaded> = {}): Loaded {
  return {
    messages: new Map(messages.map((message) => [message.messageId, message])),
    leases: new Map([["101", { term: 7, state: "held" }]]),
    keys: new Map(),
    isPassThrough: () => false,
    policyOf: () => ({ unknownPolicy: "fail", unknownTimeoutMs: 600_000, finishTimeoutMs: 60_000 }),
    now,
    ...rest,
  };
}

const send = (messageId: string, key?: string, bodyHash = "00"): SendItem => ({
  kind: "send",
  message: { ...fresh, messageId },
  idempotency: key === undefined ? undefined : { key, bodyHash },
});
const begin = (messageId: string, term = 7): Item => ({
  kind: "begin",
  phoneNumberId: "101",
  term,
  attempts: [{ messageId, attempt: 1 }],
});
const finish = (messageId: string, phoneNumberId = "101"): Item => ({
  kind: "finish",
  phoneNumberId,
  term: 7,
  outcomes: [{ messageId, attempt: 1, at: now, outcome: { kind: "taken", wamid: "wamid.up" } }],
});
const report = (messageId: string | undefined, status: string, rest: Partial<StatusReport> = {}): StatusReport => ({
  messageId,
  status,
  attempt: 1,
  wamid: "wamid.up",
  at: now,
  pricing: undefined,
  conversation: undefined,
  errors: [],
  phoneNumberId: "101",
  wabaId: "500",
  recipient: "4915112345678",
  callbackData: "",
  ...rest,
});
const ingest = (...reports: StatusReport[]): Item => ({
  kind: "ingest",
  reports,
  inbound: [],
  accountNews: [],
  unparsed: [],
});
const accepted = (messageId: string, repeated: boolean, acceptedAt = now): Answer => ({
  kind: "accepted",
  messageId,
  acceptedAt,
  repeated,
});
const held = new Map([[keyOf("101", "k"), { bodyHash: "00", messageId: "m0", acceptedAt: earlier }]]);
const own = new Map([[keyOf("101", "k"), { bodyHash: "00", messageId: "m1", acceptedAt: now }]]);

const cases: [sentence: string, items: Item[], loaded: Loaded, answers: Answer[], saved: string[]][] = [
  ["a message is accepted", [send("m1")], loaded(), [accepted("m1", false)], ["+m1"]],
  [
    "the same call twice in a commit",
    [send("m1"), send("m1")],
    loaded(),
    [accepted("m1", false), accepted("m1", true)],
    ["+m1"],
  ],
  [
    "the same call again later",
    [send("m1")],
    loaded([{ ...sending, acceptedAt: earlier }]),
    [accepted("m1", true, earlier)],
    [],
  ],
  [
    "the id of another number's message",
    [send("m1")],
    loaded([{ ...sending, phoneNumberId: "102" }]),
    [{ kind: "refused", reason: "message_id_in_use" }],
    [],
  ],
  ["the first with its key", [send("m1", "k")], loaded([], { keys: own }), [accepted("m1", false)], ["+m1"]],
  [
    "a key held by an earlier message",
    [send("m1", "k")],
    loaded([], { keys: held }),
    [accepted("m0", true, earlier)],
    [],
  ],
  [
    "a key held for another body",
    [send("m1", "k", "ff")],
    loaded([], { keys: held }),
    [{ kind: "refused", reason: "idempotency_conflict" }],
    [],
  ],
  [
    "two with one key in a commit",
    [send("m1", "k"), send("m2", "k")],
    loaded([], { keys: own }),
    [accepted("m1", false), accepted("m1", true)],
    ["+m1"],
  ],
  [
    "two with one key and two bodies in a commit",
    [send("m1", "k"), send("m2", "k", "ff")],
    loaded([], { keys: own }),
    [accepted("m1", false), { kind: "refused", reason: "idempotency_conflict" }],
    ["+m1"],
  ],
  ["a begin", [begin("m1")], loaded([fresh]), [{ kind: "begun", messageIds: ["m1"] }], ["m1 sending"]],
  ["a begin asked again", [begin("m1")], loaded([sending]), [{ kind: "begun", messageIds: ["m1"] }], []],
  [
    "a begin twice in a commit",
    [begin("m1"), begin("m1")],
    loaded([fresh]),
    [
      { kind: "begun", messageIds: ["m1"] },
      { kind: "begun", messageIds: ["m1"] },
    ],
    ["m1 sending"],
  ],
  ["a begin of an older term", [begin("m1", 6)], loaded([fresh]), [{ kind: "refused", reason: "fenced" }], []],
  [
    "a begin without a lease",
    [begin("m1")],
    loaded([fresh], { leases: new Map() }),
    [{ kind: "refused", reason: "fenced" }],
    [],
  ],
  [
    "a begin of another number's message",
    [begin("m1")],
    loaded([{ ...fresh, phoneNumberId: "102" }]),
    [{ kind: "begun", messageIds: [] }],
    [],
  ],
  ["a begin of what is not there", [begin("m1")], loaded(), [{ kind: "begun", messageIds: [] }], []],
  [
    "a begin and its finish in a commit",
    [begin("m1"), finish("m1")],
    loaded([fresh]),
    [{ kind: "begun", messageIds: ["m1"] }, { kind: "done" }],
    ["m1 sent"],
  ],
  [
    "a finish without the lease",
    [finish("m1")],
    loaded([sending], { leases: new Map() }),
    [{ kind: "done" }],
    ["m1 sent"],
  ],
  ["a finish of another number", [finish("m1", "102")], loaded([sending]), [{ kind: "done" }], []],
  [
    "statuses",
    [ingest(report("m1", "sent"), report("m1", "read"))],
    loaded([sending]),
    [{ kind: "done" }],
    ["m1 read", "m1.sent", "m1.read"],
  ],
  [
    "a status of a message that is not ours",
    [ingest(report(undefined, "sent"))],
    loaded([sending]),
    [{ kind: "done" }],
    ["passed sent"],
  ],
  [
    "a status of a message that is gone",
    [ingest(report("m2", "sent"))],
    loaded([sending]),
    [{ kind: "done" }],
    ["passed sent"],
  ],
  [
    "a status by another number",
    [ingest(report("m1", "sent", { phoneNumberId: "102" }))],
    loaded([sending]),
    [{ kind: "done" }],
    ["passed sent"],
  ],
  [
    "a status of a kind that Meta invents later",
    [ingest(report("m1", "warning"))],
    loaded([sending]),
    [{ kind: "done" }],
    ["passed warning of m1"],
  ],
  [
    "a cancel takes what is queued, and leaves what is on its way",
    [{ kind: "cancel", messageIds: ["m0", "m1", "m2"] }],
    loaded([{ ...fresh, messageId: "m0" }, sending]),
    [{ kind: "cancelled", messageIds: ["m0"] }],
    ["m0 cancelled", "m0.cancelled"],
  ],
  [
    "a cancelled message does not begin in the same commit",
    [{ kind: "cancel", messageIds: ["m1"] }, begin("m1")],
    loaded([fresh]),
    [
      { kind: "cancelled", messageIds: ["m1"] },
      { kind: "begun", messageIds: [] },
    ],
    ["m1 cancelled", "m1.cancelled"],
  ],
  [
    "a sweep",
    [{ kind: "sweep", messageIds: ["m1", "m2"] }],
    loaded([{ ...sending, dueAt: now }]),
    [{ kind: "done" }],
    ["m1 unknown", "m1.unknown"],
  ],
];

for (const [sentence, items, facts, answers, saved] of cases) {
  test(sentence, () => {
    const decision = decideBatch(items, facts);
    assert.deepEqual(decision.answers, answers);
    assert.deepEqual(
      [
        ...decision.inserted.map(({ messageId }) => `+${messageId}`),
        ...decision.changed.map(({ message: { messageId, state } }) => `${messageId} ${state}`),
        ...decision.news.map(({ message, news }) => `${message.messageId}.${news.verb}`),
        ...decision.passed.map(
          ({ report: { status }, message }) => `passed ${status}${message ? ` of ${message.messageId}` : ""}`,
        ),
      ],
      saved,
    );
  });
}

test("a message's steps within a commit are all kept, in order", () => {
  const items = [send("m1"), begin("m1"), finish("m1"), ingest(report("m1", "delivered"))];
  const [change] = decideBatch(items, loaded()).changed;
  assert.deepEqual(
    change?.transitions.map(({ state, attempt, term }) => [state, attempt, term]),
    [
      ["sending", 1, 7],
      ["sent", 1, 7],
      ["delivered", 1, 0],
    ],
  );
});

test("content of a pass-through number goes when its message cannot be sent any more", () => {
  const passing = { isPassThrough: () => true };
  assert.deepEqual(decideBatch([begin("m1")], loaded([fresh], passing)).spent, []);
  assert.deepEqual(decideBatch([finish("m1")], loaded([sending], passing)).spent, ["m1"]);
  assert.deepEqual(decideBatch([finish("m1")], loaded([sending])).spent, []);
});

test("and only then: later statuses have nothing left to forget", () => {
  const passing = { isPassThrough: () => true };
  const sent = decideBatch([finish("m1")], loaded([sending], passing)).changed.map(({ message }) => message);
  assert.deepEqual(decideBatch([ingest(report("m1", "delivered"))], loaded(sent, passing)).spent, []);
});
