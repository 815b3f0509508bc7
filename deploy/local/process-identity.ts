// Which process a pid means. Pids are used again, so a process is known by pid, start time and command together; only what
// agrees in all three is ours to end.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { sleep } from "#lib/lifecycle.ts";

export type ProcessIdentity = {
  pid: number;
  /** Opaque; differs for two processes that had the same pid. */
  startTime: string;
  command: string;
};

/** Undefined if no such process runs (a zombie does not). */
export function identify(pid: number): ProcessIdentity | undefined {
  return process.platform === "linux" ? identifyByProc(pid) : identifyByPs(pid);
}

/** Whether this very process still runs, or what it has become: `unshare … postgres …` becomes `postgres …`. */
export function isAlive({ pid, startTime, command }: ProcessIdentity): boolean {
  const found = identify(pid);
  return found !== undefined && found.startTime === startTime && ` ${command}`.endsWith(` ${found.command}`);
}

function identifyByProc(pid: number): ProcessIdentity | undefined {
  try {
    // The second field, the program's name in brackets, may itself hold blanks and brackets.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (state === undefined || ticks === undefined || "ZX".includes(state)) return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, startTime: `${boot}/${ticks}`, command };
  } catch {
    return undefined;
  }
}

function identifyByPs(pid: number): ProcessIdentity | undefined {
  const [stat = "Z", ...start] = (askPs(pid, "stat=,lstart=") ?? "Z").split(/\s+/);
  const command = askPs(pid, "command=");
  return command === undefined || stat.startsWith("Z") ? undefined : { pid, startTime: start.join(" "), command };
}

function askPs(pid: number, columns: string): string | undefined {
  try {
    const env = { ...process.env, LC_ALL: "C" };
    return execFileSync("ps", ["-o", columns, "-p", String(pid)], { encoding: "utf8", env, stdio: "pipe" }).trim();
  } catch {
    return undefined;
  }
}

/** Resident memory in bytes; undefined if the process is gone. */
export function memoryOf(pid: number): number | undefined {
  const kib = process.platform === "linux" ? residentKib(pid) : askPs(pid, "rss=");
  return kib === undefined ? undefined : Number(kib) * 1_024;
}

function residentKib(pid: number): string | undefined {
  try {
    return /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

/** Sends the signal, waits until the process is gone, and after `graceMs` kills its whole process group. */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  const killAt = performance.now() + graceMs;
  send(identity.pid, signal);
  while (isAlive(identity)) {
    if (performance.now() >= killAt) {
      killGroup(identity.pid);
      send(identity.pid, "SIGKILL");
    }
    await sleep(20);
  }
}

/** Kills the process group that `pid` leads; no error if it is gone. */
export function killGroup(pid: number): void {
  send(-pid, "SIGKILL");
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const isGone = error instanceof Error && "code" in error && error.code === "ESRCH";
    if (!isGone) throw error;
  }
}
