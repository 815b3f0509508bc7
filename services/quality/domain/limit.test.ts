import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { activeUntil, afterNews, decideReserve, isTight, type MessageVerb, overuse } from "./limit.ts";
import { type ReserveFacts, type ReserveItem, type Use, unused } from "./limit.ts";

const now = new Date("2026-03-02T12:00:00Z");
const minute = 60_000;
const hour = 60 * minute;

function ago(ms: number): Date {
  return new Date(now.getTime() - ms);
}

function inFuture(ms: number): Date {
  return new Date(now.getTime() + ms);
}

function use(countedAt: Date | undefined, reservations: Record<string, Date> = {}): Use {
  return { countedAt, reservations: new Map(Object.entries(reservations)) };
}

const facts = (more: Partial<ReserveFacts>): ReserveFacts => ({
  restricted: false,
  limit: { kind: "users", users: 250 },
  used: 0,
  activeUsers: new Set(),
  reservedMessages: new Set(),
  leavingCountedAt: undefined,
  ...more,
});

function items(...users: string[]): ReserveItem[] {
  return users.map((userId, index) => ({ messageId: `m${index + 1}`, userId }));
}

const reserves: [sentence: string, facts: ReserveFacts, items: ReserveItem[], verdicts: string][] = [
  ["below the limit a new user is admitted", facts({ used: 249 }), items("a"), "reserved"],
  ["at the limit a new user is refused", facts({ used: 250 }), items("a"), "limit_reached"],
  [
    "at the limit a user who counts already is admitted",
    facts({ used: 250, activeUsers: new Set(["a"]) }),
    items("a"),
    "reserved",
  ],
  ["the last place goes to the first who asks", facts({ used: 249 }), items("a", "b"), "reserved limit_reached"],
  [
    "two messages to one new user take one place",
    facts({ used: 249 }),
    items("a", "a", "b"),
    "reserved reserved limit_reached",
  ],
  [
    "a repeat of the same message changes nothing, even above the limit",
    facts({ used: 300, reservedMessages: new Set(["m1"]) }),
    items("a"),
    "held",
  ],
  ["the same message twice in a batch is reserved once", facts({}), [...items("a"), ...items("a")], "reserved held"],
  [
    "lowered below what is used: refused",
    facts({ used: 4_000, limit: { kind: "users", users: 1_000 } }),
    items("a"),
    "limit_reached",
  ],
  [
    "without a limit all are admitted",
    facts({ used: 1_000_000, limit: { kind: "unlimited" } }),
    items("a"),
    "reserved",
  ],
  [
    "a limit not told yet refuses nothing",
    facts({ used: 1_000_000, limit: { kind: "untold" } }),
    items("a"),
    "reserved",
  ],
  [
    "a restricted number starts nothing, not even with a user who counts",
    facts({ restricted: true, activeUsers: new Set(["a"]) }),
    items("a", "b"),
    "number_restricted number_restricted",
  ],
  [
    "200 in flight at 100 below the limit: 100 admitted",
    facts({ used: 150 }),
    items(...Array.from({ length: 200 }, (_, i) => `u${i}`)),
    [...Array(100).fill("reserved"), ...Array(100).fill("limit_reached")].join(" "),
  ],
];
for (const [sentence, given, asked, expected] of reserves) {
  test(sentence, () => {
    const verdicts = decideReserve(asked, given, now);
    assert.equal(
      verdicts.map((verdict) => (verdict.kind === "refused" ? verdict.reason : verdict.kind)).join(" "),
      expected,
    );
  });
}

test("a reservation lapses after 15 minutes", () => {
  assert.deepEqual(decideReserve(items("a"), facts({}), now), [{ kind: "reserved", lapsesAt: inFuture(15 * minute) }]);
});

const refusals: [sentence: string, leavingCountedAt: Date | undefined, earliestAt: Date][] = [
  ["refused until the oldest user turns 24 hours", ago(23 * hour), inFuture(hour)],
  ["refused for a day when all places are only reserved", undefined, inFuture(24 * hour)],
];
for (const [sentence, leavingCountedAt, earliestAt] of refusals) {
  test(sentence, () => {
    const verdicts = decideReserve(items("a"), facts({ used: 250, leavingCountedAt }), now);
    assert.deepEqual(verdicts, [{ kind: "refused", reason: "limit_reached", earliestAt }]);
  });
}

test("nobody but one must leave a full scope, the rest too where the limit was lowered", () => {
  assert.equal(overuse(250, { kind: "users", users: 250 }), 0);
  assert.equal(overuse(4_000, { kind: "users", users: 1_000 }), 3_000);
  assert.equal(overuse(4_000, { kind: "unlimited" }), 0);
});

test("a batch is tight when it might find no place", () => {
  assert.equal(isTight(240, { kind: "users", users: 250 }, 10), false);
  assert.equal(isTight(241, { kind: "users", users: 250 }, 10), true);
  assert.equal(isTight(241, { kind: "unlimited" }, 10), false);
});

const soon = inFuture(10 * minute);
const news: [sentence: string, before: Use, verb: MessageVerb, at: Date, after: Use][] = [
  [
    "sent: the reservation lives 24 hours",
    use(undefined, { m1: soon }),
    "sent",
    now,
    use(undefined, { m1: inFuture(24 * hour) }),
  ],
  [
    "unknown: the reservation is kept, at most 24 hours",
    use(undefined, { m1: soon }),
    "unknown",
    now,
    use(undefined, { m1: inFuture(24 * hour) }),
  ],
  [
    "delivered: counted from then, the reservation is released",
    use(undefined, { m1: soon }),
    "delivered",
    ago(minute),
    use(ago(minute)),
  ],
  ["read without delivered: counted", use(undefined, { m1: soon }), "read", ago(minute), use(ago(minute))],
  [
    "a second delivery prolongs",
    use(ago(3 * hour), { m2: soon }),
    "delivered",
    ago(minute),
    use(ago(3 * hour), { m2: soon }),
  ],
  ["a later delivery counts from then", use(ago(3 * hour), { m1: soon }), "delivered", ago(minute), use(ago(minute))],
  [
    "an earlier delivery does not shorten",
    use(ago(minute), { m1: soon }),
    "delivered",
    ago(3 * hour),
    use(ago(minute)),
  ],
  ["failed: the reservation lapses at once", use(undefined, { m1: soon }), "failed", now, use(undefined, { m1: now })],
  [
    "expired: the reservation lapses at once",
    use(undefined, { m1: soon }),
    "expired",
    now,
    use(undefined, { m1: now }),
  ],
  [
    "cancelled: the reservation lapses at once",
    use(undefined, { m1: soon }),
    "cancelled",
    now,
    use(undefined, { m1: now }),
  ],
  [
    "failed: the other message of the user keeps the place",
    use(undefined, { m1: soon, m2: soon }),
    "failed",
    now,
    use(undefined, { m1: now, m2: soon }),
  ],
  [
    "failed long after it lapsed: lapsed it stays",
    use(undefined, { m1: ago(hour) }),
    "failed",
    now,
    use(undefined, { m1: ago(hour) }),
  ],
  [
    "delivered after it lapsed: still counted",
    use(undefined, { m1: ago(hour) }),
    "delivered",
    ago(minute),
    use(ago(minute)),
  ],
  ["a time ahead of our clock counts as now", use(undefined, { m1: soon }), "delivered", inFuture(hour), use(now)],
  ["a message without a reservation changes nothing", use(ago(hour)), "delivered", now, use(ago(hour))],
];
for (const [sentence, before, verb, at, after] of news) {
  test(sentence, () => assert.deepEqual(afterNews(before, { verb, messageId: "m1", at }, now), after));
}

const activities: [sentence: string, given: Use, until: Date | undefined][] = [
  ["a user never met takes up no place", unused, undefined],
  ["a reserved user does until the reservation lapses", use(undefined, { m1: soon }), soon],
  ["a user delivered to does for 24 hours", use(ago(hour)), inFuture(23 * hour)],
  ["a second template three hours later: leaves 24 hours after the second", use(ago(0)), inFuture(24 * hour)],
  ["a reservation that ends earlier does not shorten that", use(ago(hour), { m1: soon }), inFuture(23 * hour)],
];
for (const [sentence, given, until] of activities) {
  test(sentence, () => assert.deepEqual(activeUntil(given), until));
}

test("never more than the limit is admitted, whatever is asked in whatever batches", () => {
  const batches = fc.array(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 20 }), { maxLength: 20 });
  fc.assert(
    fc.property(batches, fc.integer({ min: 0, max: 30 }), (asked, users) => {
      const active = new Set<string>();
      for (const [round, batch] of asked.entries()) {
        const given = batch.map((user, index) => ({ messageId: `${round}.${index}`, userId: String(user) }));
        const state = facts({ limit: { kind: "users", users }, used: active.size, activeUsers: new Set(active) });
        for (const [index, verdict] of decideReserve(given, state, now).entries()) {
          if (verdict.kind === "reserved") active.add(String(batch[index]));
        }
        assert.ok(active.size <= users);
      }
    }),
  );
});
