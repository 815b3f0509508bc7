// CPU time and memory of processes, read from /proc (Linux). Postgres is a tree of processes: its figures are those of the whole tree.
import { readFileSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";

/** `pssMiB` counts pages that several processes share (Postgres' buffers) once in all, `rssMiB` once in each. */
export type Usage = { cpuSeconds: number; rssMiB: number; pssMiB: number };

export type Process = { name: string; pid: number };

/** Clock ticks a second in /proc; 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

type Stat = { pid: number; parent: number; ticks: number };

/** Fields of /proc/<pid>/stat behind the command name, which may hold blanks and parentheses. */
function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const number = (index: number) => Number(fields[index]);
    // utime, stime, and those of children that were waited for: a Postgres backend that ended is in its parent's.
    return { pid, parent: number(1), ticks: number(11) + number(12) + number(13) + number(14) };
  } catch {
    return undefined;
  }
}

function readMemory(pid: number): { rssMiB: number; pssMiB: number } {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    const mibOf = (line: RegExp): number => Number(line.exec(text)?.[1] ?? 0) / 1_024;
    return { rssMiB: mibOf(/^Rss:\s+(\d+) kB/m), pssMiB: mibOf(/^Pss:\s+(\d+) kB/m) };
  } catch {
    return { rssMiB: 0, pssMiB: 0 };
  }
}

function allStats(): Stat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
}

/** `pid` and everything below it. */
function treeOf(pid: number, stats: readonly Stat[]): Stat[] {
  const tree = new Set([pid]);
  let grown = true;
  while (grown) {
    const children = stats.filter((stat) => tree.has(stat.parent) && !tree.has(stat.pid));
    for (const child of children) tree.add(child.pid);
    grown = children.length > 0;
  }
  return stats.filter((stat) => tree.has(stat.pid));
}

function secondsOf(members: readonly Stat[]): number {
  return members.reduce((sum, stat) => sum + stat.ticks, 0) / ticksPerSecond;
}

function usageOf(pid: number, stats: readonly Stat[]): Usage {
  const members = treeOf(pid, stats);
  const memory = members.map((stat) => readMemory(stat.pid));
  return {
    cpuSeconds: secondsOf(members),
    rssMiB: memory.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
    pssMiB: memory.reduce((sum, { pssMiB }) => sum + pssMiB, 0),
  };
}

export type Sample = ReadonlyMap<string, Usage>;

/** Usage of each named process since it began, at this moment. */
export function sample(processes: readonly Process[]): Sample {
  const stats = allStats();
  return new Map(processes.map(({ name, pid }) => [name, usageOf(pid, stats)]));
}

export type Cost = { cpuSecondsPer1000: number; rssMiB: number; pssMiB: number };

/** CPU per 1,000 messages between two samples, memory at the second. */
export function costsBetween(before: Sample, after: Sample, messages: number): Record<string, Cost> {
  return Object.fromEntries(
    [...after].map(([name, { cpuSeconds, rssMiB, pssMiB }]) => {
      const spent = cpuSeconds - (before.get(name)?.cpuSeconds ?? 0);
      return [name, { cpuSecondsPer1000: (spent * 1_000) / messages, rssMiB, pssMiB }];
    }),
  );
}

export type MachineUse = { atMs: number; busySeconds: number; stolenSeconds: number; ownSeconds: number };

/** What the machine's cores did since it started, and what of that was the work of this process and those below it. */
export function machineUse(): MachineUse {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const ticks = line.trim().split(/\s+/).slice(1).map(Number);
  const seconds = (...fields: number[]): number =>
    fields.reduce((sum, field) => sum + (ticks[field] ?? 0), 0) / ticksPerSecond;
  return {
    atMs: performance.now(),
    // user, nice, system, irq, softirq; the rest is idle and waiting.
    busySeconds: seconds(0, 1, 2, 5, 6),
    stolenSeconds: seconds(7),
    ownSeconds: secondsOf(treeOf(process.pid, allStats())),
  };
}

/** The share of all cores, 0 to 1, that others had between the two: other programs here, other machines on the same host. */
export function foreignShare(before: MachineUse, after: MachineUse): number {
  const available = ((after.atMs - before.atMs) / 1_000) * availableParallelism();
  const others = after.busySeconds - before.busySeconds - (after.ownSeconds - before.ownSeconds);
  return Math.max(0, others + after.stolenSeconds - before.stolenSeconds) / available;
}
