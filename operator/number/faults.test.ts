// Numbers while something is away, killed or there twice: everything converges, and no number ever has two processes that may send.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findFreePort } from "#local/server-process.ts";
import { privateFolder } from "#test/env/folder.ts";
import { until } from "#test/until.ts";
import { connectionClasses } from "../kinds.ts";
import { numberOf, openStage, patientMs as timeoutMs, type Stage } from "./test-stage.ts";

let stage: Stage;
let deaths = 0;
const main = fileURLToPath(new URL("../main.ts", import.meta.url));

before(async () => {
  stage = await openStage();
  await stage.applySecret();
  await stage.applyAccount();
});
after(() => stage[Symbol.asyncDispose]());

/** An operator of its own process that dies when it passes the point for the first time, after `begin`. */
async function dieAt(point: string, begin: () => Promise<unknown>): Promise<void> {
  const kubeconfig = join(privateFolder("kubeconfig"), "config");
  writeFileSync(kubeconfig, stage.kubeconfig);
  deaths += 1;
  const port = await findFreePort("127.0.0.1");
  const env = {
    ...stage.operatorEnv(),
    HTTP_PORT: String(port),
    // A lease of its own: the one that was killed before has not given its lease back.
    LEASE_NAME: `dies-${deaths}`,
    HELIOGRAPH_FAULT_POINT: `operator.${point}:1`,
  };
  const child = spawn(process.execPath, [main, "--kubeconfig", kubeconfig], { env, stdio: "ignore" });
  const exited = once(child, "exit");
  const isSynced = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await until(isSynced, { timeoutMs, message: "the operator knows everything" });
  await begin();
  await until(() => child.exitCode !== null || child.signalCode !== null, { timeoutMs }).catch(() => undefined);
  const isKilled = child.signalCode === "SIGKILL";
  child.kill("SIGKILL");
  await exited;
  assert.ok(isKilled, `the operator passed ${point}`);
}

type Way = { points: readonly string[]; epoch: number; begin: (name: string, index: number) => Promise<unknown> };

/** What brings an operator to give a number a pod, and where it may die on the way. */
const ways: Record<string, Way> = {
  "a first start": {
    points: ["told", "looked", "advanced", "created"],
    epoch: 1,
    begin: (name, index) => stage.applyNumber(name, numberOf(index)),
  },
  "a takeover from a pod that drains": {
    points: ["looked", "advanced", "created"],
    epoch: 2,
    begin: (name) => stage.deletePod(`${name}-c1`),
  },
  "a takeover from a pod that died": {
    points: ["revoked"],
    epoch: 2,
    async begin(name) {
      stage.kubelet.processOf(`${name}-c1`)?.kill("SIGKILL");
      await stage.deletePod(`${name}-c1`);
    },
  },
  "a planned move": {
    points: ["advanced", "deleted"],
    epoch: 2,
    begin: (name) => applyClass(name, { metadata: { annotations: { example: "1" } } }),
  },
};

/** Of that number alone, so that its turn does not depend on others. */
function applyClass(name: string, podTemplate: object): Promise<unknown> {
  return stage.apply(connectionClasses, `${stage.namespace}-${name}`, { podTemplate }, { namespace: undefined });
}

let taken = 0;
for (const [what, { points, epoch, begin }] of Object.entries(ways)) {
  const numbers = points.map((point) => ({ point, name: `number-${taken}`, index: taken++ }));
  test(`an operator that is killed at any step of ${what} is followed by one that ends it`, async () => {
    if (epoch > 1) {
      await using _operator = await stage.startOperator();
      const connect = async ({ name, index }: { name: string; index: number }): Promise<void> => {
        await applyClass(name, {});
        await stage.connect(name, index, { connectionClassName: `${stage.namespace}-${name}` });
      };
      await Promise.all(numbers.map(connect));
    }
    for (const { point, name, index } of numbers) {
      await dieAt(point, () => begin(name, index));
      await using _operator = await stage.startOperator();
      await stage.untilEpoch(name, epoch);
      await stage.untilPods([`${name}-c${epoch}`], name);
      await stage.sendTo(index);
      assert.equal(stage.kubelet.starts.filter((pod) => pod === `${name}-c${epoch}`).length, 1);
    }
    await stage.assertSentOnce();
  });
}

test("a process that died with its pod gives its lease up by the operator's word", async () => {
  await using _operator = await stage.startOperator();
  await stage.connect("revoked", 15);
  stage.kubelet.processOf("revoked-c1")?.kill("SIGKILL");
  await stage.deletePod("revoked-c1");
  await stage.untilEpoch("revoked", 2);
  const { number } = await stage.messages.getNumber({ phoneNumberId: numberOf(15).phoneNumberId });
  assert.equal(number?.connection?.cause, "revoked");
});

test("two operators that both believe to lead make no number twice", async () => {
  await using _one = await stage.startOperator({ LEASE_NAME: "one" });
  await using _other = await stage.startOperator({ LEASE_NAME: "other" });
  const names = ["both-a", "both-b", "both-c"];
  await Promise.all(names.map((name, index) => stage.connect(name, 16 + index)));
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
  await stage.connect("led", 20);
});

test("while messages is away a number is Unknown, and its pod stays", async () => {
  await using _operator = await stage.startOperator();
  await stage.connect("patient", 21);
  await stage.services.stopMessages();
  await stage.untilCondition("patient", "Connected", "Unknown", "MessagesAway");
  await stage.untilCondition("patient", "Ready", "Unknown", "MessagesAway");
  await stage.untilPods(["patient-c1"], "patient");
  await stage.services.startMessages();
  await stage.untilEpoch("patient", 1);
  await until(() => stage.kubelet.processOf("patient-c1") !== undefined);
  await stage.untilPods(["patient-c1"], "patient");
  await stage.sendTo(21);
});
