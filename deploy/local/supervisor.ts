// Keeps a program running: starts it again when it ends, with growing pauses, until it is told to stop.
import { sleep } from "#lib/lifecycle.ts";
import type { Running } from "./child.ts";
import { identify, isAlive, killGroup, type ProcessIdentity } from "./process-identity.ts";
import type { Exit } from "./server-process.ts";

/** Starts a program; rejects if that fails. `onSpawn` is told of a process that runs before the program is ready. */
export type Launch = (onSpawn: (pid: number) => void) => Promise<Running>;

type SuperviseOptions = {
  name: string;
  launch: Launch;
  /** Called whenever the process is another one, or none. */
  onChange: () => void;
  /** Gets a line for each end and each restart that failed. */
  say: (line: string) => void;
  firstPauseMs?: number;
};

type SupervisedProcess = ProcessIdentity & { startedAt: Date };

export type Supervised = {
  name: string;
  /** Undefined while it is down. It may be starting still. */
  process(): SupervisedProcess | undefined;
  /** How often it has ended by itself. */
  ends(): number;
  lastWords(): string | undefined;
  /** Rejects if the first start fails. */
  start(): Promise<void>;
  /** Ends it for good: in order, and by force after `graceMs`, a start that is under way too. */
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

/** A process that was known already keeps the time it began; its command may be another by now. */
function lookUp(pid: number, known: SupervisedProcess | undefined): SupervisedProcess | undefined {
  const identity = identify(pid);
  return identity && { ...identity, startedAt: known?.pid === pid ? known.startedAt : new Date() };
}

export function supervise({ name, launch, onChange, say, firstPauseMs }: SuperviseOptions): Supervised {
  const stopping = new AbortController();
  const { signal } = stopping;
  let running: Running | undefined;
  let current: SupervisedProcess | undefined;
  let beginning: Promise<Running> | undefined;
  let watching: Promise<void> | undefined;
  let lastWords: string | undefined;
  let ends = 0;

  const become = (next: SupervisedProcess | undefined): void => {
    current = next;
    onChange();
  };

  async function begin(): Promise<Running> {
    const onSpawn = (pid: number): void => (signal.aborted ? killGroup(pid) : become(lookUp(pid, current)));
    try {
      running = await launch(onSpawn);
    } catch (error) {
      become(undefined);
      throw error;
    }
    become(lookUp(running.pid, current));
    if (signal.aborted) void running.stop();
    return running;
  }

  function onEnd(ended: Running): string | undefined {
    lastWords = ended.lastWords?.();
    running = undefined;
    if (!signal.aborted) ends += 1;
    become(undefined);
    return lastWords;
  }

  const kill = (): void => {
    stopping.abort();
    if (current !== undefined && isAlive(current)) killGroup(current.pid);
  };
  return {
    name,
    process: () => current,
    ends: () => ends,
    lastWords: () => lastWords,
    async start() {
      beginning = begin();
      watching = keepRunning(await beginning, { name, begin, onEnd, say, firstPauseMs, signal });
    },
    async stop(graceMs) {
      stopping.abort();
      const timer = setTimeout(kill, graceMs);
      await beginning?.catch(() => undefined);
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
  signal: AbortSignal;
};

type Keeping = Again & {
  /** Returns its last words. */
  onEnd: (ended: Running) => string | undefined;
  firstPauseMs: number | undefined;
};

/** Resolves when the program has ended and the signal is aborted. */
async function keepRunning(first: Running, keeping: Keeping): Promise<void> {
  const { name, onEnd, say, firstPauseMs, signal } = keeping;
  let pauseMs: number | undefined;
  let running: Running | undefined = first;
  while (running !== undefined) {
    const startedAt = performance.now();
    const exit = await running.exited;
    const lastWords = onEnd(running);
    if (signal.aborted) return;
    pauseMs = pauseAfter(pauseMs, performance.now() - startedAt, firstPauseMs);
    const because = lastWords === undefined ? "" : `: ${lastWords}`;
    say(`${name} ${describeExit(exit)}, restart in ${pauseMs / 1_000} s${because}`);
    running = await beginAgain(keeping, pauseMs);
  }
}

/** Resolves to undefined when the signal aborts. */
async function beginAgain({ name, begin, say, signal }: Again, firstMs: number): Promise<Running | undefined> {
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
