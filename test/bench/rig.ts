// The whole system as a scenario wants it: the pacer open, a receiver that only counts, users whose window is open, a simulator
// without limits. Also what every scenario does with it: warm it, make it rest, ask its processes.
import { readFile, rm } from "node:fs/promises";
import { dataFolderAt } from "#local/data-folder.ts";
import { freePortBase, type RunFile, startSystem, type System } from "#test/system.ts";
import { until } from "#test/until.ts";
import { type Counts, type Deliveries, startDeliveries } from "./deliveries.ts";
import { makeLoad } from "./load-maker.ts";
import { writeManifests } from "./manifests.ts";
import { describeStates } from "./counters.ts";
import type { Process } from "./proc.ts";
import type { Context } from "./scenario.ts";
import { scrapeOne } from "./scrape.ts";
import { inflict, openLimits, openWindows } from "./simulated.ts";

export type RigOptions = {
  /** Names of the numbers to run; default: the two of the samples. */
  numbers?: readonly string[];
  users?: number;
  /** Fields of each number's spec. */
  spec?: Readonly<Record<string, number>>;
};

export type Rig = AsyncDisposable & {
  system: System;
  run: RunFile;
  portBase: number;
  databaseUrl: string;
  /** Their phone numbers. */
  users: readonly string[];
  deliveries: Deliveries;
  /** Those that ran at the start, the receiver among them. */
  processes: readonly Process[];
  /** Waits until so many messages have all their statuses, or failed. Rejects when nothing more comes, with what the ledger says. */
  settled(messages: number, onProgress?: (counts: Counts) => void): Promise<Counts>;
};

export const bothNumbers = ["orders", "care"] as const;
export const oneNumber = ["orders"] as const;
const openPace = 1_000;
const fewestUsers = 250;
const firstUser = 12_025_550_000;
// A pair may have 45 at once, then one in 6 s.
const burstPerPair = 40;
const pairSeconds = 10;

/** So many that no pair of number and user is paced when so many messages go as fast as they can. */
export function usersForBurst(messages: number): number {
  return Math.max(fewestUsers, Math.ceil(messages / burstPerPair));
}

/** The same for a rate that lasts. */
export function usersForRate(perSecond: number): number {
  return Math.max(fewestUsers, Math.ceil(perSecond * pairSeconds));
}

/** Ends with the scenario, or before it when it is disposed of. */
export async function startRig({ stack: outer, say }: Context, options: RigOptions = {}): Promise<Rig> {
  const stack = outer.use(new AsyncDisposableStack());
  const { numbers = bothNumbers, users: count = fewestUsers, spec = {} } = options;
  const numbersDir = await writeManifests({ numbers, spec: { messagesPerSecond: openPace, ...spec } });
  stack.defer(() => rm(numbersDir, { recursive: true, force: true }));
  const portBase = await freePortBase();
  const receiverPort = portBase + 59;
  const system = stack.use(await startSystem({ numbersDir, portBase, webhook: `http://127.0.0.1:${receiverPort}/` }));
  const { run } = system;
  const deliveries = stack.use(await startDeliveries(receiverPort, run.appSecret));
  await openLimits(run);
  await untilPaceIsOpen(run);
  const users = Array.from({ length: count }, (_, index) => String(firstUser + index));
  if (count > fewestUsers) say(`${count} users write first, so that their windows are open`);
  await openWindows(run, users);
  const written = count * run.numbers.length;
  await until(async () => (await deliveries.counts()).inbound >= written, {
    timeoutMs: 60_000,
    message: `not all of the users' ${written} messages came`,
  });
  const databaseUrl = await databaseUrlOf(system, portBase);
  return {
    system,
    run,
    portBase,
    databaseUrl,
    settled: (messages, onProgress) =>
      deliveries.settled(messages, onProgress).catch(async (error: unknown) => {
        throw new Error(`${describe(error)}; Postgres has ${await describeStates(databaseUrl)}`, { cause: error });
      }),
    users,
    deliveries,
    processes: [...run.processes.map(({ name, pid }) => ({ name, pid })), { name: "receiver", pid: deliveries.pid }],
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function databaseUrlOf({ dataDir }: System, portBase: number): Promise<string> {
  const password = (await readFile(`${dataFolderAt(dataDir).postgres}.password`, "utf8")).trim();
  return `postgres://postgres:${password}@127.0.0.1:${portBase + 3}/postgres`;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const warmUp = { count: 300, perSecond: 60 };

/** Connections, prepared statements and the compiler are warm then. Returns how many messages it took. */
export async function warm({ run, users, settled }: Rig): Promise<number> {
  const { sent } = await makeLoad(run, { ...warmUp, users, label: "warm" });
  await settled(sent.length);
  return sent.length;
}

// It reads the number at the grant of its lease and at WhatsApp's news.
const followMs = 60_000;

async function untilPaceIsOpen(run: RunFile): Promise<void> {
  for (const { name } of run.numbers) {
    const connection = `connection-${name}`;
    const follows = async (): Promise<boolean> =>
      (await scrapeOne(run, connection, "heliograph_connection_pace_target")) > openPace / 2;
    await until(follows, { timeoutMs: followMs, message: `${connection} does not follow the higher throughput level` });
  }
}

// WhatsApp's "number in maintenance": taken by nobody, and the whole number waits, up to a minute between two tries.
const maintenance = { kind: "status", code: 131_057, match: { path: "/messages" } };
/** The longest that the number may need to find out that it may go again. */
export const longestRestMs = 61_000;

/**
 * Lets the one number rest: WhatsApp refuses it, what is accepted waits. It takes a message to find out, which waits with the
 * others. Resolves to what lets it go on.
 */
export async function rest({ run, users }: Rig, name: string): Promise<() => Promise<void>> {
  const end = await inflict(run, maintenance);
  await makeLoad(run, { count: 1, perSecond: 1, users, label: "rest" }, [name]);
  const isResting = async (): Promise<boolean> =>
    (await scrapeOne(run, `connection-${name}`, "heliograph_connection_resting")) === 1;
  await until(isResting, { message: `number ${name} does not rest` });
  return end;
}

/** Waits until WhatsApp's answers to so many messages of the number are in. */
export async function taken({ run }: Rig, name: string, messages: number, timeoutMs: number): Promise<void> {
  const count = (): Promise<number> =>
    scrapeOne(run, `connection-${name}`, "heliograph_connection_outcomes_total", { outcome: "taken" });
  await until(async () => (await count()) >= messages, {
    timeoutMs,
    message: `WhatsApp did not take ${messages} messages`,
  });
}
