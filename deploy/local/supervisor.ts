// Keeps a program running: starts it again when it ends, with growing pauses, until it is told to stop.
import { sleep } from "#lib/lifecycle.ts";
import type { Running } from "./child.ts";
import { identify, killGroup, type ProcessIdentity } from "./process-identity.ts";
import type { Exit } from "./server-process.ts";

type SuperviseOptions = {
  name: string;
  /** Starts the program; rejects if that fails. */
  launch: () => Promise<Running>;
  /** Called whenever the process is another one, or none. */
  onChange: () => void;
  /** Gets a line for each end and each restart that failed. */
  say: (line: string) => void;
  firstPauseMs?: number;
};

export type Supervised = {
  name: string;
  /** Undefined while it is down. */
  process(): (ProcessIdentity & { startedAt: Date }) | undefined;
  /** How often it has ended by itself. */
  ends(): number;
  lastWords(): string | undefined;
  /** Rejects if the first start fails. */
  start(): Promise<void>;
  /** Ends it for good: in order, and by force after `graceMs`. A start that is under way is waited for first. */
  stop(graceMs: number): Promise<void>;
  /** Ends it for good, by force and at once. */
  kill(): void;
};

const usualFirstPauseMs = 200;
const longestPauseMs = 5_000;
const steadyMs = 10_000;

/** The pause before the next start: doubled each time, from the beginning again once the program has run for 10 s. */
export function pauseAfter(previousMs: number | undefined, upMs: number, firstMs = usualFirstPauseMs): number {
  if (previousMs === undefined || upMs >= steadyMs) return firstMs;
  return Math.min(previousMs * 2, longestPauseMs);
}

export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `ended with exit code ${code ?? "unknown"}` : `was ended by ${signal}`;
}

export function supervise({ name, launch, onChange, say, firstPauseMs }: SuperviseOptions): Supervised {
  const stopping = new AbortController();
  let running: Running | undefined;
  let current: (ProcessIdentity & { startedAt: Date }) | undefined;
  let beginning: Promise<Running> | undefined;
  let watching: Promise<void> | undefined;
  let lastWords: string | undefined;
  let ends = 0;

  async function begin(): Promise<Running> {
    const started = await launch();
    running = started;
    const identity = identify(started.pid);
    current = identity === undefined ? undefined : { ...identity, startedAt: new Date() };
    if (stopping.signal.aborted) void started.stop();
    onChange();
    return started;
  }

  async function watch(first: Running): Promise<void> {
    let pauseMs: number | undefined;
    let watched: Running | undefined = first;
    while (watched !== undefined) {
      const startedAt = performance.now();
      const exit = await watched.exited;
      lastWords = watched.lastWords?.();
      running = undefined;
      current = undefined;
      if (stopping.signal.aborted) return;
      ends += 1;
      onChange();
      pauseMs = pauseAfter(pauseMs, performance.now() - startedAt, firstPauseMs);
      const because = lastWords === undefined ? "" : `: ${lastWords}`;
      say(`${name} ${describeExit(exit)}, restart in ${pauseMs / 1_000} s${because}`);
      watched = await beginAgain({ name, begin, say, pauseMs, signal: stopping.signal });
    }
  }

  const kill = (): void => {
    stopping.abort();
    if (running !== undefined) killGroup(running.pid);
  };
  return {
    name,
    process: () => current,
    ends: () => ends,
    lastWords: () => lastWords,
    async start() {
      beginning = begin();
      watching = watch(await beginning);
    },
    async stop(graceMs) {
      stopping.abort();
      await beginning?.catch(() => undefined);
      const timer = setTimeout(kill, graceMs);
      await Promise.all([running?.stop(), watching]);
      clearTimeout(timer);
    },
    kill,
  };
}

type Again = {
  name: string;
  begin: () => Promise<Running>;
  say: (line: string) => void;
  /** Before the first try. */
  pauseMs: number;
  signal: AbortSignal;
};

/** Resolves to undefined when the signal aborts. */
async function beginAgain({ name, begin, say, pauseMs: firstMs, signal }: Again): Promise<Running | undefined> {
  for (let pauseMs = firstMs; ; pauseMs = pauseAfter(pauseMs, 0)) {
    await sleep(pauseMs, signal);
    if (signal.aborted) return undefined;
    try {
      return await begin();
    } catch (error) {
      if (signal.aborted) return undefined;
      const why = error instanceof Error ? error.message : String(error);
      say(`${name} could not be restarted, again in ${pauseAfter(pauseMs, 0) / 1_000} s: ${why}`);
    }
  }
}
