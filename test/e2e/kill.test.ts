// The promise under kill -9: every process but the simulator (its memory is the judge) is killed once, under load.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sendUntilAccepted, text, userWrites } from "#test/client.ts";
import { ledgerState, phoneMessages, statusesOf, webhooks } from "#test/judge.ts";
import { type RunFile, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";

const users = ["12025550101", "12025550102", "12025550103", "12025550104"];
const perSecond = 5;

type Accepted = { wamid: string; user: string; words: string };
type Load = { accepted: Accepted[]; refused: string[]; stop(): Promise<void> };

/** Five messages a second, over all numbers and users, each repeated by its key until it is accepted. */
function startLoad(run: RunFile): Load {
  const load: Pick<Load, "accepted" | "refused"> = { accepted: [], refused: [] };
  const underWay: Promise<void>[] = [];
  let count = 0;
  const sendOne = async (index: number): Promise<void> => {
    const user = users[index % users.length] ?? "";
    const phoneNumberId = run.numbers[Math.floor(index / users.length) % run.numbers.length]?.phoneNumberId ?? "";
    const words = `message ${index}`;
    const wamid = await sendUntilAccepted(run, phoneNumberId, text(user, words), AbortSignal.timeout(30_000));
    if (wamid === undefined) load.refused.push(words);
    else load.accepted.push({ wamid, user, words });
  };
  const timer = setInterval(() => underWay.push(sendOne(count++)), 1_000 / perSecond);
  return {
    ...load,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
    },
  };
}

async function openWindows(run: RunFile): Promise<void> {
  for (const user of users)
    for (const number of run.numbers) await userWrites(run, user, number.displayPhoneNumber, "hello");
  await until(async () => (await webhooks(run)).inbound.length >= users.length * run.numbers.length, {
    message: "the users' messages did not reach the webhook",
  });
}

/** Kills one process and waits until another one has its place and messages flow again. */
async function killAndRecover(system: System, name: string, load: Load): Promise<void> {
  const victim = (await system.read()).processes.find((process) => process.name === name);
  assert.ok(victim, `no process ${name} in run.json`);
  process.kill(victim.pid, "SIGKILL");
  await until(async () => (await system.read()).processes.some((one) => one.name === name && one.pid !== victim.pid), {
    timeoutMs: 20_000,
    message: `${name} was not started again:\n${system.output()}`,
  });
  const before = load.accepted.length;
  await until(() => load.accepted.length >= before + perSecond, {
    timeoutMs: 30_000,
    message: `nothing is accepted any more after ${name} was killed`,
  });
  const latest = load.accepted.at(-1);
  assert.ok(latest);
  await until(
    async () => (await phoneMessages(system.run, latest.user)).some(({ text: words }) => words === latest.words),
    {
      timeoutMs: 40_000,
      message: `messages do not reach their phones any more after ${name} was killed`,
    },
  );
}

test("no phone gets anything twice and nothing accepted is lost when any one process is killed", async () => {
  await using system = await startSystem();
  const { run } = system;
  await openWindows(run);
  const load = startLoad(run);
  const names = run.processes.map(({ name }) => name).filter((name) => name !== "simulator" && name !== "receiver");
  for (const name of names) await killAndRecover(system, name, load);
  await load.stop();

  assert.deepEqual(load.refused, []);
  const settled = async ({ wamid, user, words }: Accepted): Promise<boolean> => {
    const hasArrived = (await phoneMessages(run, user)).some((message) => message.text === words);
    if (hasArrived) return (await statusesOf(run, wamid)).includes("read");
    return (await ledgerState(run, wamid)) === "unknown";
  };
  const remaining = new Set(load.accepted);
  await until(
    async () => {
      for (const one of remaining) if (await settled(one)) remaining.delete(one);
      return remaining.size === 0;
    },
    { timeoutMs: 60_000, message: `not settled: ${[...remaining].map(({ words }) => words).join(", ")}` },
  );
  for (const user of users) {
    const words = (await phoneMessages(run, user)).map((message) => message.text);
    assert.deepEqual(words, [...new Set(words)], "arrived twice on a phone");
  }
  assert.equal((await webhooks(run)).badSignatures, 0);
});
