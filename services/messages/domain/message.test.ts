import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isBegun, next } from "./message.ts";
import type { Event, MessageError, MessageState, Policy, Pricing, Progress, Status } from "./progress.ts";
import { accepted, at } from "./test-progress.ts";

const now = at("10:00:00");
const policy: Policy = { unknownPolicy: "fail", unknownTimeoutMs: 600_000, finishTimeoutMs: 60_000 };
const resend: Policy = { ...policy, unknownPolicy: "resend" };

const price: Pricing = { billable: true, pricingModel: "PMP", type: "regular", category: "utility" };
const fault: MessageError = { code: 131_047, title: "Re-engagement message", message: "", details: "", href: "" };

// Begun as attempt 1 of term 7 at 09:59:30, if not said otherwise.
const sending: Progress = {
  ...accepted,
  state: "sending",
  attempt: 1,
  term: 7,
  sendingAt: at("09:59:30"),
  dueAt: at("10:00:30"),
};
const overdue: Progress = { ...sending, dueAt: now };
const unknown: Progress = { ...sending, state: "unknown", reason: "no_finish", dueAt: now };
const waiting: Progress = { ...accepted, state: "waiting", reason: "pair_rate", dueAt: at("10:00:05") };
const sentByUs: Progress = { ...sending, state: "sent", sentAt: at("09:59:31"), wamid: "wamid.up" };
const sent: Progress = { ...sentByUs, sentNewsAt: at("09:59:32") };
const delivered: Progress = { ...sent, state: "delivered", deliveredAt: at("09:59:33") };
const read: Progress = { ...delivered, state: "read", readAt: at("09:59:34") };
const failed: Progress = {
  ...sending,
  state: "failed",
  reason: "upstream_refused",
  error: fault,
  failedAt: at("09:59:40"),
};
const givenUp: Progress = { ...failed, reason: "unknown_outcome" };
const again: Progress = { ...unknown, state: "accepted", reason: "resend" };
const second: Progress = { ...sending, attempt: 2, term: 8 };
const expired: Progress = { ...accepted, state: "expired", reason: "expired", failedAt: at("09:00:00") };
const cancelled: Progress = { ...accepted, state: "cancelled" };

const begin = (term: number, attempt: number): Event => ({ kind: "begin", term, attempt });
type Finish = Extract<Event, { kind: "finish" }>;
const finish = (outcome: Finish["outcome"], rest: Partial<Finish> = {}): Event => ({
  kind: "finish",
  term: 7,
  attempt: 1,
  isHolder: true,
  at: at("09:59:50"),
  outcome,
  ...rest,
});
const taken = { kind: "taken", wamid: "wamid.up" } as const;
const refused = { kind: "refused", reason: "window_closed", error: fault } as const;
const wait = { kind: "wait", until: at("10:00:09"), reason: "throttled" } as const;
const noAnswer = { kind: "unknown", reason: "no_answer" } as const;
const tooLate = { kind: "expired" } as const;
const status = (word: Status["status"], rest: Partial<Status> = {}): Event => ({
  kind: "status",
  status: word,
  attempt: 1,
  wamid: "wamid.up",
  at: at("09:59:55"),
  pricing: undefined,
  conversation: undefined,
  errors: word === "failed" ? [fault] : [],
  ...rest,
});
const takeover = (term: number): Event => ({ kind: "takeover", term });
const due: Event = { kind: "due" };
const recover: Event = { kind: "recover" };
const lost: Progress = { ...unknown, reason: "ledger_lost" };
const cancel: Event = { kind: "cancel" };

/** What becomes of it: the state, with the reason where there is one; "same" if nothing changed. Then the news. */
type Case = [sentence: string, before: Progress, event: Event, after: string, news?: string, policy?: Policy];

const cases: Case[] = [
  // begin
  ["the first attempt begins", accepted, begin(7, 1), "sending"],
  ["what waited begins", waiting, begin(7, 1), "sending"],
  ["the second attempt begins after a wait", { ...waiting, attempt: 1, term: 7 }, begin(7, 2), "sending"],
  ["another attempt than the next does not begin", accepted, begin(7, 2), "same"],
  ["what is too late does not begin", { ...accepted, expiresAt: now }, begin(7, 1), "same"],
  ["a repeated begin changes nothing", sending, begin(7, 1), "same"],
  ["a begin of what was finished changes nothing", sentByUs, begin(7, 1), "same"],
  ["a begin of what is unknown changes nothing", unknown, begin(7, 1), "same"],
  ["a cancelled message does not begin", cancelled, begin(7, 1), "same"],

  // recover
  ["what was accepted before a loss may have been sent", accepted, recover, "unknown ledger_lost", "unknown"],
  ["what waited too", waiting, recover, "unknown ledger_lost", "unknown"],
  ["what was sending too", sending, recover, "unknown ledger_lost", "unknown"],
  [
    "what is too late to be sent may have gone in time",
    { ...accepted, expiresAt: now },
    recover,
    "unknown ledger_lost",
    "unknown",
  ],
  ["what was unknown may have been sent again, of which nothing new is told", unknown, recover, "unknown ledger_lost"],
  ["a repeated recovery changes nothing", lost, recover, "same"],
  ["what was sent stays sent", sentByUs, recover, "same"],
  ["what failed stays failed", failed, recover, "same"],
  ["what a loss left unknown is not begun", lost, begin(7, 2), "same"],
  ["nor sent again where the policy says so", lost, due, "failed unknown_outcome", "failed", resend],
  ["nor given back by a holder of that time", lost, finish(wait), "same"],
  ["that WhatsApp took the attempt is true still", lost, finish(taken), "sent"],
  ["and so of an attempt that is forgotten", lost, finish(taken, { term: 9, attempt: 3 }), "sent"],
  ["that WhatsApp refused the attempt is true still", lost, finish(refused), "failed window_closed", "failed"],
  ["a refusal by a holder of that time says nothing of later ones", lost, finish(refused, { attempt: 2 }), "same"],
  [
    "a status of an attempt that is forgotten resolves it",
    lost,
    status("delivered", { attempt: 3 }),
    "delivered",
    "sent delivered",
  ],
  ["also when it failed", lost, status("failed", { attempt: 3 }), "failed upstream_failed", "failed"],
  [
    "also what never was begun, so far as is known",
    { ...accepted, ...lost, attempt: 0, term: 0 },
    status("read"),
    "read",
    "sent read",
  ],

  // cancel
  ["what is accepted is cancelled", accepted, cancel, "cancelled cancelled", "cancelled"],
  ["what waits is cancelled", waiting, cancel, "cancelled cancelled", "cancelled"],
  ["what is to be sent again is cancelled", again, cancel, "cancelled cancelled", "cancelled"],
  ["what may be on the wire is not", sending, cancel, "same"],
  ["what nobody knows of is not", unknown, cancel, "same"],
  ["what was sent is not", sent, cancel, "same"],
  ["what failed is not", failed, cancel, "same"],
  ["what was cancelled stays so", cancelled, cancel, "same"],
  ["and is not taken out of what had been given up", expired, cancel, "same"],

  // finish, of the attempt that was begun
  ["WhatsApp took it", sending, finish(taken), "sent"],
  ["the receipt of a fenced holder counts", unknown, finish(taken, { isHolder: false }), "sent"],
  ["a receipt after the message was given up counts", givenUp, finish(taken), "sent"],
  ["a receipt for what is to be sent again counts", again, finish(taken), "sent"],
  ["a receipt of another term does not", sending, finish(taken, { term: 6 }), "same"],
  ["a receipt of an older attempt does not", second, finish(taken), "same"],
  ["a receipt that a status overtook changes nothing", delivered, finish(taken), "same"],
  ["a repeated receipt changes nothing", sentByUs, finish(taken), "same"],
  ["WhatsApp refused it", sending, finish(refused), "failed window_closed", "failed"],
  [
    "a refusal that comes after the takeover counts",
    unknown,
    finish(refused, { isHolder: false }),
    "failed window_closed",
    "failed",
  ],
  ["a refusal of what was given up tells the ledger why", givenUp, finish(refused), "failed window_closed"],
  ["a refusal of what a status confirmed changes nothing", sent, finish(refused), "same"],
  ["not taken, to be tried again", sending, finish(wait), "waiting throttled"],
  ["not taken, told after the takeover", unknown, finish(wait, { isHolder: false }), "waiting throttled"],
  ["not taken, told after it was given up", givenUp, finish(wait), "same"],
  ["nobody knows", sending, finish(noAnswer), "unknown no_answer", "unknown"],
  ["nobody knows, told twice", unknown, finish(noAnswer), "same"],
  ["what is on the wire does not expire", sending, finish(tooLate), "same"],

  // finish before begin
  ["the holder refuses before begin", accepted, finish(refused), "failed window_closed", "failed"],
  ["the holder lets it wait before begin", accepted, finish(wait), "waiting throttled"],
  ["the holder lets it wait longer", waiting, finish(wait), "waiting throttled"],
  ["the holder finds it too late", accepted, finish(tooLate), "expired expired", "expired"],
  ["who is not the holder refuses nothing", accepted, finish(refused, { isHolder: false }), "same"],
  ["who is not the holder lets nothing wait", accepted, finish(wait, { isHolder: false }), "same"],
  ["who is not the holder expires nothing", accepted, finish(tooLate, { isHolder: false }), "same"],
  ["what was not begun was not taken", accepted, finish(taken), "same"],
  ["what was not begun is not unknown", accepted, finish(noAnswer), "same"],
  ["what was cancelled is not refused", cancelled, finish(refused), "same"],
  ["the holder refuses the next attempt", again, finish(refused, { attempt: 2 }), "failed window_closed", "failed"],

  // statuses
  ["sent is told", sentByUs, status("sent"), "sent", "sent"],
  ["sent overtakes the receipt", sending, status("sent"), "sent", "sent"],
  ["delivered brings sent along", sentByUs, status("delivered"), "delivered", "sent delivered"],
  ["delivered overtakes the receipt", sending, status("delivered"), "delivered", "sent delivered"],
  ["delivered after sent", sent, status("delivered"), "delivered", "delivered"],
  ["read after delivered", delivered, status("read"), "read", "read"],
  ["read without delivered", sent, status("read"), "read", "read"],
  ["read overtakes all", sending, status("read"), "read", "sent read"],
  ["played is read", delivered, status("played"), "read", "read"],
  ["played after read changes nothing", read, status("played"), "same"],
  ["a repeated sent changes nothing", sent, status("sent"), "same"],
  ["a late sent changes nothing", delivered, status("sent"), "same"],
  ["a late delivered changes nothing", read, status("delivered"), "same"],
  ["a repeated read changes nothing", read, status("read"), "same"],
  ["a late sent has the price", delivered, status("sent", { pricing: price }), "delivered"],
  ["a status resolves what is unknown", unknown, status("sent"), "sent", "sent"],
  ["a status overrules that it was given up", givenUp, status("delivered"), "delivered", "sent delivered"],
  ["a status spares the second send", again, status("sent"), "sent", "sent"],
  [
    "a status of the first attempt counts while the second is on the wire",
    second,
    status("delivered"),
    "delivered",
    "sent delivered",
  ],
  ["a status that came by WhatsApp's id alone counts", sending, status("sent", { attempt: undefined }), "sent", "sent"],
  ["an attempt that the ledger forgot counts", accepted, status("sent"), "sent", "sent"],
  ["sent after failed changes nothing", failed, status("sent"), "same"],
  ["delivered after a refusal changes nothing", failed, status("delivered"), "same"],
  ["a status of what never went changes nothing", expired, status("sent", { attempt: undefined }), "same"],
  [
    "a status of what expired after an unknown attempt counts",
    { ...expired, attempt: 1 },
    status("sent"),
    "sent",
    "sent",
  ],
  ["failed before sent was told is only failed", sentByUs, status("failed"), "failed upstream_failed", "failed"],
  ["failed after sent", sent, status("failed"), "failed upstream_failed", "failed"],
  ["failed overtakes the receipt", sending, status("failed"), "failed upstream_failed", "failed"],
  ["failed resolves what is unknown", unknown, status("failed"), "failed upstream_failed", "failed"],
  ["failed tells the ledger why what was given up failed", givenUp, status("failed"), "failed upstream_failed"],
  ["failed of an older attempt changes nothing", second, status("failed"), "same"],
  ["failed of what is to be sent again changes nothing", again, status("failed"), "same"],
  ["failed after delivered changes nothing", delivered, status("failed"), "same"],
  ["failed after read changes nothing", read, status("failed"), "same"],
  ["a repeated failed changes nothing", failed, status("failed"), "same"],

  // hands and time
  ["a newer term makes unknown", sending, takeover(8), "unknown holder_changed", "unknown"],
  ["the own term does not", sending, takeover(7), "same"],
  ["a takeover leaves what is not sending", sentByUs, takeover(8), "same"],
  ["no finish came", overdue, due, "unknown no_finish", "unknown"],
  ["the finish may still come", sending, due, "same"],
  ["an unknown outcome fails", unknown, due, "failed unknown_outcome", "failed"],
  ["an unknown outcome is sent again", unknown, due, "accepted resend", "", resend],
  [
    "an unknown outcome too late to be sent again fails",
    { ...unknown, expiresAt: now },
    due,
    "failed unknown_outcome",
    "failed",
    resend,
  ],
  ["an unknown outcome may still come", { ...unknown, dueAt: at("10:00:01") }, due, "same"],
  ["too late to be sent", { ...accepted, expiresAt: now }, due, "expired expired", "expired"],
  ["too late while it waits", { ...waiting, expiresAt: now }, due, "expired expired", "expired"],
  ["not too late yet", accepted, due, "same"],
  ["what is done is done", read, due, "same"],
];

for (const [sentence, before, event, after, news = "", own = policy] of cases) {
  test(sentence, () => {
    const step = next(before, event, now, own);
    const { state, reason } = step.row;
    assert.equal(step.row === before ? "same" : `${state} ${reason}`.trim(), after);
    assert.equal(step.news.map(({ verb }) => verb).join(" "), news);
  });
}

test("begin records the term, the attempt and until when the finish must come", () => {
  const { row } = next(accepted, begin(7, 1), now, policy);
  assert.deepEqual(row, { ...accepted, state: "sending", attempt: 1, term: 7, sendingAt: now, dueAt: at("10:01:00") });
  assert.ok(isBegun(row, 7, 1));
  assert.ok(!isBegun(row, 8, 1) && !isBegun(row, 7, 2) && !isBegun(sentByUs, 7, 1));
});

test("an unknown message is due when its outcome is given up", () => {
  assert.deepEqual(next(sending, takeover(8), now, policy).row.dueAt, at("10:10:00"));
});

test("what a status overtakes takes its time, and the news tell price and conversation", () => {
  const conversation = { id: "c", originType: "utility", expirationSeconds: 0n };
  const { row, news } = next(sending, status("read", { pricing: price, conversation }), now, policy);
  const time = at("09:59:55");
  assert.deepEqual(row, {
    ...sending,
    state: "read",
    wamid: "wamid.up",
    pricing: price,
    sentAt: time,
    sentNewsAt: time,
    deliveredAt: time,
    readAt: time,
  });
  const told = { attempt: 1, at: time, reason: "", errors: [], pricing: price, conversation };
  assert.deepEqual(news, [
    { verb: "sent", ...told },
    { verb: "read", ...told },
  ]);
});

test("a failure is told with Meta's errors, an unknown outcome with 131000", () => {
  assert.deepEqual(next(sent, status("failed"), now, policy).news[0]?.errors, [fault]);
  assert.equal(next(unknown, due, now, policy).news[0]?.errors[0]?.code, 131_000);
});

test("a status that overrules a failure takes its reason, error and time away", () => {
  const { row } = next(givenUp, status("sent"), now, policy);
  assert.deepEqual([row.reason, row.error, row.failedAt], ["", undefined, undefined]);
});

const rank: Partial<Record<MessageState, number>> = { sending: 0, sent: 1, delivered: 2, read: 3 };

test("statuses in any order, any number of times, end where the furthest of them leads", () => {
  const words = fc.array(fc.constantFrom("sent", "delivered", "read", "played", "taken" as const), {
    minLength: 1,
    maxLength: 8,
  });
  const levels = { taken: 1, sent: 1, delivered: 2, read: 3, played: 3 } as const;
  fc.assert(
    fc.property(words, (order) => {
      let row = sending;
      const verbs: string[] = [];
      for (const word of order) {
        const before = rank[row.state] ?? -1;
        const step = next(row, word === "taken" ? finish(taken) : status(word), now, policy);
        assert.ok((rank[step.row.state] ?? -1) >= before, "a state went back");
        ({ row } = step);
        verbs.push(...step.news.map(({ verb }) => verb));
      }
      assert.equal(rank[row.state], Math.max(...order.map((word) => levels[word])));
      assert.equal(new Set(verbs).size, verbs.length, "something was told twice");
      assert.ok(verbs.length === 0 || verbs[0] === "sent", "something was told before sent");
    }),
  );
});

test("whatever happens, a message that was delivered stays delivered, and each attempt begins once", () => {
  const event = fc.oneof(
    fc
      .record({ term: fc.integer({ min: 7, max: 9 }), attempt: fc.integer({ min: 1, max: 3 }) })
      .map(({ term, attempt }) => begin(term, attempt)),
    fc.constantFrom(due, cancel, takeover(8), takeover(9)),
    fc
      .record({
        outcome: fc.constantFrom(taken, refused, wait, noAnswer),
        term: fc.integer({ min: 7, max: 9 }),
        attempt: fc.integer({ min: 1, max: 3 }),
        isHolder: fc.boolean(),
      })
      .map(({ outcome, ...rest }) => finish(outcome, rest)),
    fc
      .record({
        word: fc.constantFrom("sent", "delivered", "read", "failed" as const),
        attempt: fc.integer({ min: 1, max: 3 }),
      })
      .map(({ word, attempt }) => status(word, { attempt })),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), fc.constantFrom(policy, resend), (events, own) => {
      let row = accepted;
      const begun: number[] = [];
      for (const [index, one] of events.entries()) {
        const step = next(row, one, new Date(now.getTime() + index * 300_000), own);
        if (one.kind === "begin" && step.row !== row) begun.push(step.row.attempt);
        if (row.state === "delivered" || row.state === "read")
          assert.ok(step.row.state === row.state || step.row.state === "read");
        assert.ok(step.row.attempt >= row.attempt);
        ({ row } = step);
      }
      assert.deepEqual(begun, [...new Set(begun)], "an attempt began twice");
    }),
  );
});

const waits: [sentence: string, at: string, until: string, dueAt: string][] = [
  ["a wait ends when the holder said", "10:00:00", "10:00:09", "10:00:09"],
  ["told late, it ends no later", "09:59:50", "10:00:09", "10:00:09"],
  ["of a holder whose clock is hours ahead it is as long as it meant", "22:00:00", "22:00:09", "10:00:09"],
  ["of one whose clock is hours behind it is over", "01:00:00", "01:00:09", "01:00:09"],
];
for (const [sentence, saidAt, until, dueAt] of waits) {
  test(sentence, () => {
    const told = finish({ ...wait, until: at(until) }, { at: at(saidAt) });
    assert.deepEqual(next(sending, told, now, policy).row.dueAt, at(dueAt));
  });
}
