// The processes of a local run as they are now. A pid counts only with the command that the run file names beside it.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { RunProcess } from "./run-file.ts";

export type ProcessState = {
  name: string;
  pid: number;
  state: "up" | "not ready" | "gone";
  address: string | null;
  memoryBytes: number | undefined;
};

type Found = { command: string; memoryBytes: number | undefined };

const execute = promisify(execFile);
const readyMs = 2_000;

export async function lookAt(run: RunProcess): Promise<ProcessState> {
  const { name, pid, http, grpc, command } = run;
  const found = await (process.platform === "linux" ? findByProc(pid) : findByPs(pid)).catch(() => undefined);
  const address = grpc ?? http;
  if (found?.command !== command) return { name, pid, state: "gone", address, memoryBytes: undefined };
  const isReady = http === null || (await answers(`${http}/readyz`));
  return { name, pid, state: isReady ? "up" : "not ready", address, memoryBytes: found.memoryBytes };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(readyMs) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function findByProc(pid: number): Promise<Found> {
  const [cmdline, status] = await Promise.all([
    readFile(`/proc/${pid}/cmdline`, "utf8"),
    readFile(`/proc/${pid}/status`, "utf8"),
  ]);
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(status) ?? [];
  return { command: cmdline.replaceAll("\0", " ").trim(), memoryBytes: bytesOf(kib) };
}

async function findByPs(pid: number): Promise<Found> {
  const { stdout } = await execute("ps", ["-o", "rss=,command=", "-p", String(pid)]);
  const [, kib, command = ""] = /^\s*(\d+)\s+(.*?)\s*$/s.exec(stdout) ?? [];
  return { command, memoryBytes: bytesOf(kib) };
}

function bytesOf(kib: string | undefined): number | undefined {
  return kib === undefined ? undefined : Number(kib) * 1_024;
}
