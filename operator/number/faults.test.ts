// Numbers while something is away, killed or there twice: everything converges, and no number ever has two processes that may send.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { privateFolder } from "#test/env/folder.ts";
import { until } from "#test/until.ts";
import { numberOf, openStage, type Stage } from "./test-stage.ts";

let stage: Stage;
const timeoutMs = 90_000;
const main = fileURLToPath(new URL("../main.ts", import.meta.url));

before(async () => {
  // Nothing here waits for a lease to run out, and a slow machine must not let one.
  stage = await openStage({ LEASE_MS: "40000", STOP_AFTER_MS: "30000", RENEW_EVERY_MS: "2000" });
  await stage.applySecret();
  await stage.applyAccount();
});
after(() => stage[Symbol.asyncDispose]());

/** An operator of its own process that dies when it passes the point for the first time. */
async function dieAt(point: string): Promise<void> {
  const kubeconfig = join(privateFolder("kubeconfig"), "config");
  writeFileSync(kubeconfig, stage.kubeconfig);
  const env = { ...stage.operatorEnv(), LEASE_NAME: point.replace(".", "-"), HELIOGRAPH_FAULT_POINT: `${point}:1` };
  const child = spawn(process.execPath, [main, "--kubeconfig", kubeconfig], { env, stdio: "ignore" });
  const [, signal] = await Promise.race([
    once(child, "exit"),
    new Promise<[number, string]>((resolve) => setTimeout(() => resolve([0, "nothing"]), timeoutMs).unref()),
  ]);
  child.kill("SIGKILL");
  assert.equal(signal, "SIGKILL", `the operator passed ${point}`);
}

test("an operator that is killed at any step of a first start is followed by one that ends it", async () => {
  const points = ["told", "looked", "advanced", "created"];
  for (const [index, point] of points.entries()) {
    await stage.applyNumber(`first-${point}`, numberOf(index));
    await dieAt(`operator.${point}`);
  }
  await using _operator = await stage.startOperator();
  for (const point of points) {
    await stage.untilEpoch(`first-${point}`, 1);
    await stage.untilPods([`first-${point}-c1`], `first-${point}`);
    assert.equal(stage.kubelet.starts.filter((name) => name === `first-${point}-c1`).length, 1);
  }
});

test("an operator that is killed at any step of a takeover is followed by one that ends it", async () => {
  const points = ["advanced", "deleted"];
  {
    await using _operator = await stage.startOperator();
    for (const [index, point] of points.entries()) await stage.connect(`next-${point}`, 5 + index);
  }
  for (const point of points) {
    if (point === "deleted") await stage.annotate(`next-${point}`, { "heliograph.dev/fence": "true" });
    else await stage.deletePod(`next-${point}-c1`);
    await dieAt(`operator.${point}`);
    await stage.annotate(`next-${point}`, { "heliograph.dev/fence": null });
  }
  await using _operator = await stage.startOperator();
  for (const [index, point] of points.entries()) {
    await stage.untilEpoch(`next-${point}`, 2);
    await stage.untilPods([`next-${point}-c2`], `next-${point}`);
    await stage.sendTo(5 + index);
  }
});

test("a process that died with its pod gives its lease up by the operator's word", async () => {
  await using _operator = await stage.startOperator();
  await stage.connect("revoked", 10);
  stage.kubelet.processOf("revoked-c1")?.kill("SIGKILL");
  await stage.deletePod("revoked-c1");
  await stage.untilEpoch("revoked", 2);
  const { number } = await stage.messages.getNumber({ phoneNumberId: numberOf(10).phoneNumberId });
  assert.equal(number?.connection?.cause, "revoked");
});

test("two operators that both believe to lead make no number twice", async () => {
  await using _one = await stage.startOperator({ LEASE_NAME: "one" });
  await using _other = await stage.startOperator({ LEASE_NAME: "other" });
  const names = ["both-a", "both-b", "both-c"];
  await Promise.all(names.map((name, index) => stage.connect(name, 12 + index)));
  await Promise.all(names.map((name) => stage.deletePod(`${name}-c1`)));
  await Promise.all(names.map((name) => stage.untilEpoch(name, 2)));
  for (const name of names) {
    await stage.untilPods([`${name}-c2`], name);
    assert.deepEqual(
      stage.kubelet.starts.filter((started) => started.startsWith(`${name}-c`)),
      [`${name}-c1`, `${name}-c2`],
    );
  }
});

test("a standby takes the lead over from one that stops", async () => {
  const first = await stage.startOperator();
  await first.working;
  await using second = await stage.startOperator();
  await first[Symbol.asyncDispose]();
  await second.working;
  await stage.connect("led", 16);
});

test("while messages is away a number is Unknown, and its pod stays", async () => {
  await using _operator = await stage.startOperator();
  await stage.connect("patient", 17);
  await stage.services.stopMessages();
  await stage.untilCondition("patient", "Connected", "Unknown", "MessagesAway");
  await stage.untilCondition("patient", "Ready", "Unknown", "MessagesAway");
  await stage.untilPods(["patient-c1"], "patient");
  await stage.services.startMessages();
  await stage.untilEpoch("patient", 1);
  await until(() => stage.kubelet.processOf("patient-c1") !== undefined);
  await stage.untilPods(["patient-c1"], "patient");
  await stage.sendTo(17);
});
