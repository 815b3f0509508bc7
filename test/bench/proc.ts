// CPU time and memory of processes, read from /proc (Linux). Postgres is a tree of processes: its figures are those of the whole tree.
import { readFileSync, readdirSync } from "node:fs";

export type Usage = { cpuSeconds: number; rssMiB: number };

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

function readMemoryMiB(pid: number): number {
  try {
    // Proportional: pages that several processes share (Postgres' buffers) are counted once in all.
    const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0;
  }
}

function allStats(): Stat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
}

/** Usage of `pid` and everything below it since those processes began. */
export function usageOf(pid: number, stats: Stat[] = allStats()): Usage {
  const tree = new Set([pid]);
  let grown = true;
  while (grown) {
    const children = stats.filter((stat) => tree.has(stat.parent) && !tree.has(stat.pid));
    for (const child of children) tree.add(child.pid);
    grown = children.length > 0;
  }
  const members = stats.filter((stat) => tree.has(stat.pid));
  return {
    cpuSeconds: members.reduce((sum, stat) => sum + stat.ticks, 0) / ticksPerSecond,
    rssMiB: members.reduce((sum, stat) => sum + readMemoryMiB(stat.pid), 0),
  };
}

/** Usage of each named process at this moment. */
export function sample(processes: readonly { name: string; pid: number }[]): Map<string, Usage> {
  const stats = allStats();
  return new Map(processes.map(({ name, pid }) => [name, usageOf(pid, stats)]));
}
