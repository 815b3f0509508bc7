import assert from "node:assert/strict";
import { test } from "node:test";
import { toNumber, toPod } from "./followed.ts";

const metadata = { name: "orders", namespace: "bench", uid: "1", resourceVersion: "7", generation: 2 };
const spec = { phoneNumberId: "900" };
const ready = [{ type: "Ready", status: "True" }];
const connection = { epoch: 3, podUid: "2" };

const cases: [sentence: string, status: object, isSettled: boolean][] = [
  ["Ready with a known pod is settled", { observedGeneration: 2, conditions: ready, connection }, true],
  ["of an older spec it is not", { observedGeneration: 1, conditions: ready, connection }, false],
  ["nor before its pod was seen", { observedGeneration: 2, conditions: ready, connection: { epoch: 3 } }, false],
  ["nor while it is not Ready", { observedGeneration: 2, conditions: [], connection }, false],
];
for (const [sentence, status, isSettled] of cases) {
  test(`a number: ${sentence}`, () => {
    const number = toNumber({ apiVersion: "heliograph.dev/v1alpha1", kind: "WhatsAppNumber", metadata, spec, status });
    assert.deepEqual([number.isSettled, number.epoch, number.hasLimit], [isSettled, 3, false]);
  });
}

test("a pod tells its number, its epoch and whom its process would serve", () => {
  const labels = { "app.kubernetes.io/instance": "orders", "heliograph.dev/epoch": "3" };
  const env = [{ name: "PHONE_NUMBER_ID", value: "900" }];
  const pod = toPod({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, name: "orders-c3", labels },
    spec: { nodeName: "node-1", containers: [{ name: "connection", env }] },
    status: { conditions: ready },
  });
  const { number, epoch, phoneNumberId, isBound, isReady, isDeleting } = pod;
  assert.deepEqual(
    { number, epoch, phoneNumberId, isBound, isReady, isDeleting },
    { number: "orders", epoch: 3, phoneNumberId: "900", isBound: true, isReady: true, isDeleting: false },
  );
});
