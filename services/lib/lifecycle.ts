// The life of a process: start, wait for a signal, stop in order, exit. One AbortSignal is the only cancellation.
// A process that does not stop within its deadline is ended, so that a hung dispose never holds a rollout.
import { inspect } from "node:util";
import { ConfigError } from "./config.ts";
import type { Log } from "./log.ts";

/** What a service's start function returns. `done` lets the process end by itself, with the exit code it resolves to. */
export type Started = AsyncDisposable & { done?: Promise<number> };

type RunOptions = {
  /** How long stopping may take before the process is ended with exit code 1. */
  shutdownMs?: number;
};

/**
 * Runs a process to its end and exits.
 * The first SIGTERM or SIGINT aborts the signal, disposes what was started and exits 0; the second exits 1 at once.
 * A start that fails prints one line (or the list of configuration faults) and exits 1.
 */
export async function run(
  start: (signal: AbortSignal) => Promise<Started>,
  { shutdownMs = 8_000 }: RunOptions = {},
): Promise<never> {
  const stopping = new AbortController();
  const stopped = new Promise<number>((resolve) => {
    const onSignal = (): void => {
      if (stopping.signal.aborted) process.exit(1);
      stopping.abort();
      resolve(0);
      exitAfter(shutdownMs);
    };
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  });
  const onBug = (error: unknown): void => {
    say(`unexpected error, exiting: ${inspect(error)}`);
    process.exit(1);
  };
  process.on("unhandledRejection", onBug).on("uncaughtException", onBug);
  process.exit(await startAndStop(start, stopping, stopped, shutdownMs));
}

async function startAndStop(
  start: (signal: AbortSignal) => Promise<Started>,
  stopping: AbortController,
  stopped: Promise<number>,
  shutdownMs: number,
): Promise<number> {
  let started: Started;
  try {
    started = await start(stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) return 0;
    say(describeStartFailure(error));
    return 1;
  }
  const code = await Promise.race(started.done === undefined ? [stopped] : [stopped, started.done]);
  if (!stopping.signal.aborted) {
    stopping.abort();
    exitAfter(shutdownMs);
  }
  try {
    await started[Symbol.asyncDispose]();
    return code;
  } catch (error) {
    say(`stopping failed: ${inspect(error)}`);
    return code === 0 ? 1 : code;
  }
}

function exitAfter(shutdownMs: number): void {
  setTimeout(() => {
    say(`did not stop within ${shutdownMs} ms, exiting`);
    process.exit(1);
  }, shutdownMs).unref();
}

/** One line for what a person can mend; a stack only for what looks like a bug. */
export function describeStartFailure(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (!(error instanceof Error)) return `start failed: ${inspect(error)}`;
  if ("code" in error && error.code === "EADDRINUSE") {
    const port = "port" in error ? String(error.port) : "?";
    return `start failed: port ${port} is already in use`;
  }
  const isBug = error instanceof TypeError || error instanceof ReferenceError || error.message === "";
  return `start failed: ${isBug ? inspect(error) : error.message}`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Resolves after `ms`, or at once when the signal aborts. Never rejects: callers look at the signal. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener("abort", finish, { once: true });
  });
}

type LoopOptions = {
  /** Named in the log when the task fails. */
  name: string;
  /** Time from the end of one run to the start of the next. */
  intervalMs: number;
  /** Share of the interval, 0 to 1, added at random so that copies do not run in step. */
  jitter?: number;
  signal?: AbortSignal | undefined;
  log: Log;
  /** One run. Returning "again" starts the next at once. Should end soon when the signal aborts. */
  task: (signal: AbortSignal) => Promise<"again" | void>;
};

export type Loop = AsyncDisposable & {
  /** Runs the task now, or once more right after the run in progress. */
  wake(): void;
};

const failurePauseMs = 200;

/** Runs a task now and then at intervals, never twice at a time. A failure is logged and the next run waits, even if woken. */
export function loop({ name, intervalMs, jitter = 0, signal, log, task }: LoopOptions): Loop {
  const own = new AbortController();
  const ending = signal === undefined ? own.signal : AbortSignal.any([own.signal, signal]);
  let awake = false;
  let wakeUp: (() => void) | undefined;

  function pause(): Promise<void> {
    if (awake || ending.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        ending.removeEventListener("abort", finish);
        wakeUp = undefined;
        resolve();
      };
      const timer = setTimeout(finish, intervalMs * (1 + jitter * Math.random()));
      ending.addEventListener("abort", finish, { once: true });
      wakeUp = finish;
    });
  }

  async function repeat(): Promise<void> {
    while (!ending.aborted) {
      awake = false;
      try {
        if ((await task(ending)) === "again") continue;
      } catch (error) {
        if (ending.aborted) return;
        log.warn({ err: error, loop: name }, "loop failed, will run again");
        await sleep(Math.min(failurePauseMs, intervalMs), ending);
      }
      await pause();
    }
  }

  const finished = repeat();
  return {
    wake() {
      awake = true;
      wakeUp?.();
    },
    async [Symbol.asyncDispose]() {
      own.abort();
      await finished;
    },
  };
}
