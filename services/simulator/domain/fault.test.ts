import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveryOf, type Fault, type FaultMatch, fires, type NewsDelivery, type WebhookFault } from "./fault.ts";

const target = { phoneNumberId: "201", to: "15550100999", path: "/v24.0/201/messages" };
const always = (): number => 0;

function cut(match: FaultMatch, probability = 1, times?: number): Fault {
  return { id: "f", kind: "cut_after", accepted: true, match, probability, times };
}

const cases: [sentence: string, fault: Fault, chance: number, fires: boolean][] = [
  ["an empty match meets everything", cut({}), 0.99, true],
  ["the number must be the same", cut({ phoneNumberId: "202" }), 0, false],
  ["the user must be the same", cut({ to: "15550100998" }), 0, false],
  ["a part of the path is enough", cut({ path: "/messages" }), 0, true],
  ["another path is not met", cut({ path: "message_templates" }), 0, false],
  ["all conditions must hold", cut({ phoneNumberId: "201", to: "15550100999", path: "/messages" }), 0, true],
  ["one that fails is enough to spare it", cut({ phoneNumberId: "201", to: "1" }), 0, false],
  ["a chance below the probability meets it", cut({}, 0.5), 0.49, true],
  ["a chance at the probability does not", cut({}, 0.5), 0.5, false],
  ["probability 0 never meets it", cut({}, 0), 0, false],
  ["a fault that is used up meets nothing", cut({}, 1, 0), 0, false],
];
for (const [sentence, fault, chance, expected] of cases) {
  test(sentence, () =>
    assert.equal(
      fires(fault, target, () => chance),
      expected,
    ),
  );
}

const common = { id: "w", match: {}, probability: 1, times: undefined };
const deliveries: [sentence: string, faults: WebhookFault[], delivery: NewsDelivery][] = [
  ["without a fault it goes once and at once", [], { delayMs: 0, copies: 1, alone: false, dropFirst: false }],
  [
    "delays add up",
    [
      { ...common, kind: "webhook_delay", ms: 300 },
      { ...common, kind: "webhook_shuffle", ms: 100 },
    ],
    { delayMs: 350, copies: 1, alone: false, dropFirst: false },
  ],
  ["doubled", [{ ...common, kind: "webhook_double" }], { delayMs: 0, copies: 2, alone: true, dropFirst: false }],
  ["a storm", [{ ...common, kind: "storm", copies: 10 }], { delayMs: 0, copies: 10, alone: true, dropFirst: false }],
  [
    "dropped, then sent again",
    [{ ...common, kind: "webhook_drop_then_retry" }],
    { delayMs: 0, copies: 1, alone: true, dropFirst: true },
  ],
];
for (const [sentence, faults, delivery] of deliveries) {
  test(sentence, () =>
    assert.deepEqual(
      deliveryOf(faults, () => 0.5),
      delivery,
    ),
  );
}

test("chance is drawn only for a fault that matches", () => {
  assert.equal(
    fires(cut({ to: "1" }, 0.5), target, () => assert.fail("drawn")),
    false,
  );
  assert.equal(fires(cut({}, 0.5), target, always), true);
});
