// What is measured, each on a system started for it: figures of one scenario never carry another's warm caches or queues.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { fromWamid } from "#dialects/message-id.ts";
import { userWrites } from "#test/client.ts";
import { freePortBase, type RunFile, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";
import type { Job, LoadResult } from "./load.ts";
import { sample, type Usage } from "./proc.ts";
import { type Percentiles, percentiles } from "./statistics.ts";

export type Say = (text: string) => void;
export type Cost = { cpuSecondsPer1000: number; rssMiB: number };

export type IdleFigures = { firstStartMs: number; nextStartMs: number; rssMiB: Record<string, number> };
export type SteadyFigures = {
  perSecond: number;
  seconds: number;
  messages: number;
  refused: number;
  acceptMs: Percentiles;
  acceptToPhoneMs: Percentiles;
  costs: Record<string, Cost>;
};
export type BurstFigures = {
  messages: number;
  refused: number;
  acceptedPerSecond: number;
  /** From the first request to the last `read` at the receiver. */
  endToEndPerSecond: number;
  acceptMs: Percentiles;
  statuses: Record<string, number>;
  costs: Record<string, Cost>;
};

const root = new URL("../..", import.meta.url).pathname;

/** Start-up time, without and with data, and the memory of each process when nothing happens. */
export async function idle(say: Say): Promise<IdleFigures> {
  say("idle: first start …");
  const dataDir = await mkdtemp(join(tmpdir(), "heliograph-bench-"));
  const portBase = await freePortBase();
  const first = await startSystem({ dataDir, portBase });
  await first[Symbol.asyncDispose]();
  say("idle: next start …");
  const next = await startSystem({ dataDir, portBase });
  await settle();
  const usage = sample(await processesOf(next));
  await next[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true, force: true });
  const rssMiB = Object.fromEntries([...usage].map(([name, { rssMiB: mib }]) => [name, mib]));
  return { firstStartMs: first.startedInMs, nextStartMs: next.startedInMs, rssMiB };
}

/** Long enough for start-up work (first sync, first garbage collection) to be over. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5_000));
}

async function processesOf({ read }: System): Promise<{ name: string; pid: number }[]> {
  return (await read()).processes.map(({ name, pid }) => ({ name, pid }));
}

/** Accept latency, and from accept to the phone, at a fixed rate over all numbers. */
export async function acceptAt(perSecond: number, seconds: number, say: Say): Promise<SteadyFigures> {
  say(`steady: ${perSecond} msg/s for ${seconds} s …`);
  await using bench = await startBench({ perNumber: 1_000, limits: false });
  // Five seconds of the same load first: connections, prepared statements and the compiler are warm then.
  await load(bench, { count: perSecond * 5, perSecond, concurrency: 0 });
  await drained(bench, perSecond * 5);
  const before = sample(bench.processes);
  const result = await load(bench, { count: perSecond * seconds, perSecond, concurrency: 0 });
  await drained(bench, perSecond * 5 + result.sent.length);
  const costs = costsBetween(before, sample(bench.processes), result.sent.length);
  const arrivals = await phoneTimes(bench.run);
  const acceptToPhone = result.sent.flatMap(({ wamid, answeredAtMs }) => {
    const arrivedAtMs = arrivals.get(fromWamid(wamid) ?? "");
    return arrivedAtMs === undefined ? [] : [Math.max(0, arrivedAtMs - answeredAtMs)];
  });
  return {
    perSecond,
    seconds,
    messages: result.sent.length,
    refused: result.refused,
    acceptMs: percentiles(result.sent.map(({ startedAtMs, answeredAtMs }) => answeredAtMs - startedAtMs)),
    acceptToPhoneMs: percentiles(acceptToPhone),
    costs,
  };
}

/** As many as it takes, over two numbers, with pacer and simulator limits open, until every status is at the receiver. */
export async function throughput(messages: number, say: Say): Promise<BurstFigures> {
  say(`burst: ${messages} messages over all numbers, as fast as they are accepted …`);
  await using bench = await startBench({ perNumber: 1_000, limits: false });
  await load(bench, { count: 200, perSecond: 100, concurrency: 0 });
  await drained(bench, 200);
  const before = sample(bench.processes);
  const result = await load(bench, { count: messages, perSecond: 0, concurrency: 32 });
  const { lastAtMs, ...statuses } = await drained(bench, 200 + result.sent.length);
  const costs = costsBetween(before, sample(bench.processes), result.sent.length);
  return {
    messages: result.sent.length,
    refused: result.refused,
    acceptedPerSecond: (result.sent.length * 1_000) / (result.lastAtMs - result.firstAtMs),
    endToEndPerSecond: (result.sent.length * 1_000) / ((lastAtMs ?? 0) - result.firstAtMs),
    acceptMs: percentiles(result.sent.map(({ startedAtMs, answeredAtMs }) => answeredAtMs - startedAtMs)),
    statuses,
    costs,
  };
}

function costsBetween(before: Map<string, Usage>, after: Map<string, Usage>, messages: number): Record<string, Cost> {
  return Object.fromEntries(
    [...after].map(([name, { cpuSeconds, rssMiB }]) => {
      const spent = cpuSeconds - (before.get(name)?.cpuSeconds ?? 0);
      return [name, { cpuSecondsPer1000: (spent * 1_000) / messages, rssMiB }];
    }),
  );
}

type Bench = AsyncDisposable & {
  run: RunFile;
  users: string[];
  receiver: string;
  processes: { name: string; pid: number }[];
};

/** The system with a receiver that only counts, an open pacer, users whose window is open, and a simulator without limits. */
async function startBench({ perNumber, limits }: { perNumber: number; limits: boolean }): Promise<Bench> {
  const stack = new AsyncDisposableStack();
  try {
    const portBase = await freePortBase();
    const receiverPort = portBase + 59;
    const numbersDir = await openPacer(perNumber);
    stack.defer(() => rm(numbersDir, { recursive: true, force: true }));
    const system = stack.use(await startSystem({ numbersDir, portBase, webhook: `http://127.0.0.1:${receiverPort}/` }));
    const receiver = spawn(process.execPath, ["test/bench/receiver.ts", String(receiverPort), system.run.appSecret], {
      cwd: root,
      stdio: "ignore",
    });
    stack.defer(() => ended(receiver));
    const receiverUrl = `http://127.0.0.1:${receiverPort}`;
    await until(
      () =>
        fetch(receiverUrl).then(
          ({ ok }) => ok,
          () => false,
        ),
      { message: "the bench's receiver did not start" },
    );
    await settings(system.run, limits);
    const users = Array.from({ length: 250 }, (_, index) => `1202555${String(1_000 + index)}`);
    for (const user of users)
      for (const { displayPhoneNumber } of system.run.numbers)
        await userWrites(system.run, user, displayPhoneNumber, "hello");
    const expected = users.length * system.run.numbers.length;
    await until(async () => (await counts(receiverUrl))["messages"] === expected, {
      timeoutMs: 30_000,
      message: "the users' messages did not come",
    });
    const processes = [...(await processesOf(system)), { name: "receiver", pid: receiver.pid ?? 0 }];
    const disposal = stack.move();
    return {
      run: system.run,
      users,
      receiver: receiverUrl,
      processes,
      [Symbol.asyncDispose]: () => disposal.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** The sample manifests at the given pace. */
async function openPacer(messagesPerSecond: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heliograph-bench-numbers-"));
  await cp(join(root, "deploy/samples"), folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), "utf8");
    await writeFile(
      join(folder, name),
      text.replaceAll(/^( *)phoneNumberId:/gm, `$1messagesPerSecond: ${messagesPerSecond}\n$1phoneNumberId:`),
    );
  }
  return folder;
}

/** Without limits, and at the level at which a number may send 1,000 messages a second. */
async function settings({ simulator, numbers, processes }: RunFile, limits: boolean): Promise<void> {
  const pace = { throughput: limits ? null : false, pair: limits };
  await put(`${simulator}/admin/settings`, { limits: pace, deliverAfterMs: 50, readAfterMs: 100 });
  if (limits) return;
  for (const { phoneNumberId } of numbers) {
    await put(`${simulator}/admin/numbers/${phoneNumberId}`, { throughputLevel: "HIGH" });
  }
  const connections = processes.flatMap(({ name, http }) =>
    name.startsWith("connection-") && http !== null ? [http] : [],
  );
  const follows = async (http: string): Promise<boolean> =>
    /^heliograph_connection_pace_target\S* (1000|[89]\d\d)/m.test(await (await fetch(`${http}/metrics`)).text());
  for (const http of connections)
    await until(() => follows(http), { message: "a connection does not follow the higher level" });
}

async function put(url: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "PUT", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
}

async function load({ run, users }: Bench, how: Pick<Job, "count" | "perSecond" | "concurrency">): Promise<LoadResult> {
  const job: Job = {
    gateway: run.gateway,
    token: run.token,
    phoneNumberIds: run.numbers.map(({ phoneNumberId }) => phoneNumberId),
    users,
    ...how,
  };
  const child = spawn(process.execPath, ["test/bench/load.ts", JSON.stringify(job)], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
  await once(child, "close");
  return loadResult.parse(JSON.parse(output));
}

const loadResult = z.object({
  sent: z.array(z.object({ wamid: z.string(), startedAtMs: z.number(), answeredAtMs: z.number() })),
  refused: z.number(),
  firstAtMs: z.number(),
  lastAtMs: z.number(),
  cpuSeconds: z.number(),
});

const countsSchema = z.record(z.string(), z.number());

async function counts(receiver: string): Promise<Record<string, number>> {
  return countsSchema.parse(await (await fetch(receiver)).json());
}

/** Waits until each message's `read` is at the receiver. */
async function drained({ receiver }: Bench, messages: number): Promise<Record<string, number>> {
  await until(async () => ((await counts(receiver))["read"] ?? 0) >= messages, {
    timeoutMs: 180_000,
    message: `not every status of ${messages} messages came`,
  });
  return counts(receiver);
}

const accepted = z.object({
  messages: z.array(z.object({ biz_opaque_callback_data: z.string().optional(), acceptedAt: z.number() })),
  next: z.union([z.number(), z.string(), z.null()]).optional(),
});

/** When WhatsApp took each message, by our message id; ms since the epoch, the simulator's clock is this machine's. */
async function phoneTimes({ simulator }: RunFile): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for (let after: string | number | null | undefined = 0; after !== null && after !== undefined;) {
    const page = accepted.parse(await (await fetch(`${simulator}/admin/messages?limit=1000&after=${after}`)).json());
    for (const { biz_opaque_callback_data: data = "", acceptedAt } of page.messages)
      times.set(data.replace(/\.\d+$/, ""), acceptedAt);
    after = page.next;
  }
  return times;
}
