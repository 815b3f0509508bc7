// Carries out what the schedule says, and writes down when. Faults on one process go one after another; all others overlap.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "#lib/lifecycle.ts";
import { dataFolderAt } from "#local/data-folder.ts";
import { planPorts } from "#local/ports.ts";
import { until } from "#test/until.ts";
import type { Fault } from "./schedule.ts";
import { leaseMs, type Stage } from "./stage.ts";

export type Happening = { at: Date; what: string };

export type Faults = {
  /** Resolves when the fault and its effects are over. */
  inflict(fault: Fault): Promise<void>;
  happened: readonly Happening[];
  /** What was carried out so far. */
  tally(): Tally;
};

/** `kills`: SIGKILLs that hit. `crashes`: those of them at a named point. */
export type Tally = Record<"kills" | "crashes" | "freezes" | "jumps" | "upstream" | "rivals", number>;

const root = new URL("../..", import.meta.url).pathname;
// A point that is passed rarely may not be passed at all.
const crashMs = 3_000;
const readyMs = 10_000;
const lookMs = 25;
const endMs = 10_000;

type Cast = {
  stage: Stage;
  note: (what: string) => void;
  count: (what: keyof Tally) => void;
  /** Of the numbers for which a rival runs: the first need not be ready to be at work. */
  contested: Set<string>;
  /** Runs after everything that was queued for that process before. */
  alone: (process: string, work: () => Promise<void>) => Promise<void>;
};

export function createFaults(stage: Stage): Faults {
  const happened: Happening[] = [];
  const queues = new Map<string, Promise<void>>();
  const tally: Tally = { kills: 0, crashes: 0, freezes: 0, jumps: 0, upstream: 0, rivals: 0 };
  const note = (what: string): void => void happened.push({ at: new Date(), what });
  const cast: Cast = {
    stage,
    note,
    count: (what) => void (tally[what] += 1),
    contested: new Set(),
    alone(process, work) {
      const turn = (queues.get(process) ?? Promise.resolve()).then(work);
      queues.set(
        process,
        turn.catch(() => undefined),
      );
      return turn;
    },
  };
  return { inflict: (fault) => inflict(cast, fault), happened, tally: () => ({ ...tally }) };
}

async function inflict(cast: Cast, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case "kill":
      await Promise.all(fault.processes.map((name) => cast.alone(name, () => kill(cast, name, fault.early))));
      return;
    case "freeze":
      return cast.alone(fault.process, () => freeze(cast, fault.process, fault.forMs));
    case "crash":
      return cast.alone(fault.process, () => crash(cast, fault));
    case "jump":
      return cast.alone(`clock of ${fault.process}`, () => jump(cast, fault));
    case "upstream":
      return disturb(cast, fault);
    case "rival":
      return cast.alone(`rival of ${fault.number}`, () => compete(cast, fault));
  }
}

/** One that starts is given time to become ready, unless it is to die `early`: else a slow machine would never see it at work. */
async function kill({ stage, note, count, contested }: Cast, name: string, early: boolean): Promise<void> {
  const { pid, isUp, isReady } = await stage.find(name);
  const giveUpAt = performance.now() + (early ? 0 : readyMs);
  const isAtWork = (): Promise<boolean> => (contested.has(name) ? isUp() : isReady());
  while (performance.now() < giveUpAt && !(await isAtWork())) await sleep(lookMs);
  if (signal(pid, "SIGKILL")) {
    count("kills");
    note(`kill -9 ${name}`);
  }
  await until(async () => !(await stage.isRunning(pid)), { message: `${name} did not end` });
}

async function freeze({ stage, note, count }: Cast, name: string, forMs: number): Promise<void> {
  const { pid } = await stage.find(name);
  // A server that forks works in its children.
  const pids = name === "postgres" ? [pid, ...childrenOf(pid)] : [pid];
  for (const one of pids) signal(one, "SIGSTOP");
  count("freezes");
  note(`freeze ${name} for ${forMs} ms`);
  await sleep(forMs);
  for (const one of pids) signal(one, "SIGCONT");
  note(`wake ${name}`);
}

async function crash(cast: Cast, { process: name, point, passage }: Extract<Fault, { kind: "crash" }>): Promise<void> {
  const { stage, note, count } = cast;
  await stage.setEnv(name, { HELIOGRAPH_FAULT_POINT: `${point}:${passage}` });
  await kill(cast, name, false);
  const { pid, isReady } = await stage.find(name);
  await stage.setEnv(name);
  const startedAt = performance.now();
  let readyAt: number | undefined;
  while (performance.now() - (readyAt ?? startedAt) < (readyAt === undefined ? readyMs : crashMs)) {
    if (!(await stage.isRunning(pid))) {
      count("kills");
      count("crashes");
      return note(`${name} died at ${point}, passage ${passage}`);
    }
    if (readyAt === undefined && (await isReady())) readyAt = performance.now();
    await sleep(lookMs);
  }
  note(`${name} has not come to ${point}, passage ${passage}; it may die there later`);
}

async function jump({ stage, note, count }: Cast, fault: Extract<Fault, { kind: "jump" }>): Promise<void> {
  const { process: name, byMs, forMs } = fault;
  await stage.setClock(name, byMs);
  count("jumps");
  note(`the clock of ${name} jumps by ${byMs / 1_000} s for ${forMs} ms`);
  await sleep(forMs);
  await stage.setClock(name, 0);
  note(`the clock of ${name} is right again`);
}

async function disturb(
  { stage, note, count }: Cast,
  { rule, forMs }: Extract<Fault, { kind: "upstream" }>,
): Promise<void> {
  const faults = `${stage.system.run.simulator}/admin/faults`;
  const id = `chaos-${performance.now()}`;
  const match = rule.kind.startsWith("webhook") || rule.kind === "storm" ? {} : { path: "/messages" };
  const response = await fetch(faults, { method: "POST", body: JSON.stringify({ id, match, ...rule }) });
  if (!response.ok) throw new Error(`the simulator refused ${JSON.stringify(rule)}: ${await response.text()}`);
  count("upstream");
  note(`WhatsApp: ${JSON.stringify(rule)} for ${forMs} ms`);
  await sleep(forMs);
  await fetch(`${faults}/${id}`, { method: "DELETE" });
}

async function compete(cast: Cast, fault: Extract<Fault, { kind: "rival" }>): Promise<void> {
  const { note, count, contested, alone } = cast;
  const first = `connection-${fault.number}`;
  const rival = startRival(cast.stage, fault.number, fault.way === "take_over");
  contested.add(first);
  count("rivals");
  note(`rival of ${fault.number} starts, ${fault.way}`);
  const startedAt = performance.now();
  if (fault.way === "usurp") {
    await sleep(leaseMs / 2);
    await alone(first, () => freeze(cast, first, leaseMs * 1.8));
  }
  await sleep(Math.max(0, startedAt + fault.forMs - performance.now()));
  if (!hasEnded(rival)) {
    rival.kill(fault.end);
    if (fault.end === "SIGKILL") count("kills");
  }
  await until(() => hasEnded(rival), { timeoutMs: endMs, message: `the rival of ${fault.number} did not end` });
  contested.delete(first);
  note(`rival of ${fault.number} ended with ${rival.exitCode ?? rival.signalCode}`);
}

type Place = Pick<Stage, "system" | "portBase" | "logs">;

/** What a person would start by hand: the same number, another holder. */
export function startRival({ system, portBase, logs }: Place, number: string, takeOver: boolean): ChildProcess {
  const ports = planPorts({ base: portBase }, 0);
  const address = (pair: { grpc: number }): string => `127.0.0.1:${pair.grpc}`;
  const { messages, templates, billing, quality } = ports.services;
  const log = openSync(join(logs, `rival-${number}.log`), "a", 0o600);
  const rival = spawn(process.execPath, ["services/connection/main.ts", ...(takeOver ? ["--take-over"] : [])], {
    cwd: root,
    stdio: ["ignore", log, log],
    env: {
      PATH: process.env["PATH"],
      PHONE_NUMBER_ID: system.run.numbers.find(({ name }) => name === number)?.phoneNumberId,
      HOLDER: `rival/${performance.now()}`,
      NATS_URL: `nats://127.0.0.1:${ports.nats}`,
      MESSAGES_ADDRESS: address(messages),
      TEMPLATES_ADDRESS: address(templates),
      BILLING_ADDRESS: address(billing),
      QUALITY_ADDRESS: address(quality),
      UPSTREAM_URL: system.run.simulator,
      UPSTREAM_TIMEOUT_MS: "3000",
      ACCESS_TOKEN_FILE: join(dataFolderAt(system.dataDir).secrets, "access-tokens", number),
      DRAIN_MS: "2000",
    },
  });
  closeSync(log);
  return rival;
}

export async function endRival(rival: ChildProcess): Promise<void> {
  if (hasEnded(rival)) return;
  rival.kill("SIGKILL");
  await once(rival, "exit");
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Whether there was such a process. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

function childrenOf(pid: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}
