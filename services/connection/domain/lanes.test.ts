import assert from "node:assert/strict";
import { test } from "node:test";
import { createLanes, type Lane, type Queued } from "./lanes.ts";

type Item = Queued & { isReady: boolean };

function item(messageId: string, recipient: string, changes: Partial<Item> = {}): Item {
  return { messageId, recipient, lane: "reply", seq: 0, isReady: true, ...changes };
}

/** Everything that goes, in order, while nothing finishes. */
function startAll(items: readonly Item[], isOpen: (lane: Lane) => boolean = () => true): string[] {
  const lanes = createLanes<Item>();
  for (const one of items) lanes.add(one);
  const started: string[] = [];
  for (;;) {
    const next = lanes.next((one) => one.isReady, isOpen);
    if (next === undefined) return started;
    lanes.start(next);
    started.push(next.messageId);
  }
}

const cases: [sentence: string, items: Item[], started: string[]][] = [
  ["nothing waits, nothing goes", [], []],
  ["messages go in the order of acceptance", [item("b", "1", { seq: 2 }), item("a", "2", { seq: 1 })], ["a", "b"]],
  ["a recipient has one in flight", [item("a", "1"), item("b", "1"), item("c", "2")], ["a", "c"]],
  [
    "a message that is not ready holds back its own recipient only",
    [item("a", "1", { isReady: false }), item("b", "1"), item("c", "2")],
    ["c"],
  ],
  [
    "the lanes of one recipient do not wait for each other",
    [item("a", "1"), item("b", "1", { lane: "bulk" })],
    ["a", "b"],
  ],
];

for (const [sentence, items, started] of cases) test(sentence, () => assert.deepEqual(startAll(items), started));

test("a closed lane is passed over", () => {
  const items = [item("a", "1", { lane: "bulk" }), item("b", "2")];
  assert.deepEqual(
    startAll(items, (lane) => lane === "reply"),
    ["b"],
  );
});

test("the next of a recipient goes when the first is finished", () => {
  const lanes = createLanes<Item>();
  const [first, second] = [item("a", "1"), item("b", "1")];
  lanes.add(first);
  lanes.add(second);
  lanes.start(first);
  const any = (): boolean => true;
  assert.equal(lanes.next(any, any), undefined);
  lanes.finish(first);
  assert.equal(lanes.next(any, any), second);
});

test("with both lanes full, eight replies go for each of bulk, evenly spread", () => {
  const items = ["reply", "bulk"].flatMap((lane) =>
    Array.from({ length: 90 }, (_, at) =>
      item(`${lane} ${at}`, String(at), { lane: lane === "bulk" ? "bulk" : "reply", seq: at }),
    ),
  );
  const started = startAll(items).slice(0, 90);
  for (let from = 0; from < 90; from += 9) {
    assert.equal(started.slice(from, from + 9).filter((id) => id.startsWith("bulk")).length, 1);
  }
});

test("a lane that is alone takes everything", () => {
  const items = Array.from({ length: 20 }, (_, at) => item(`b${at}`, String(at), { lane: "bulk" }));
  assert.equal(startAll(items).length, 20);
});

test("what waits behind a message can be let go", () => {
  const lanes = createLanes<Item>();
  const first = item("a", "1", { seq: 2 });
  const others = [
    item("before", "1", { seq: 1 }),
    item("behind", "1", { seq: 3 }),
    item("other user", "2", { seq: 4 }),
    item("other lane", "1", { seq: 5, lane: "bulk" }),
  ];
  for (const one of others) lanes.add(one);
  lanes.removeBehind(first);
  assert.deepEqual(
    others.filter((one) => !lanes.has(one)).map(({ messageId }) => messageId),
    ["behind"],
  );
});

test("sizes count what waits, not what is in flight", () => {
  const lanes = createLanes<Item>();
  const [first, second] = [item("a", "1"), item("b", "2", { lane: "bulk" })];
  lanes.add(first);
  lanes.add(second);
  lanes.start(first);
  assert.deepEqual([lanes.size("reply"), lanes.size("bulk"), [...lanes.items()]], [0, 1, [second]]);
  lanes.remove(second);
  assert.equal(lanes.size("bulk"), 0);
});
