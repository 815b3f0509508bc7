// Waits until a process says that it is ready.
import { sleep } from "#lib/lifecycle.ts";
import type { NodeProcess } from "./services.ts";
import type { Supervised } from "./supervisor.ts";

/** The stack cannot be brought up; the message is for the person who started it. */
export class StartError extends Error {
  override readonly name = "StartError";
}

const pollMs = 40;
const requestMs = 2_000;
const mostEnds = 3;

type Options = { signal: AbortSignal; timeoutMs: number; logFile: string };

/** Resolves when /readyz answers 200, or when the signal aborts. Rejects with StartError if that will not be. */
export async function untilReady(
  { name, http }: NodeProcess,
  supervised: Supervised,
  { signal, timeoutMs, logFile }: Options,
): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const answer = await askReady(http);
    if (answer === "ready" || signal.aborted) return;
    if (supervised.ends() >= mostEnds) {
      throw new StartError(
        `${name} does not start: ${supervised.lastWords() ?? "it gave no reason"} (log: ${logFile})`,
      );
    }
    if (performance.now() > giveUpAt) {
      throw new StartError(`${name} is not ready after ${timeoutMs / 1_000} s: ${answer} (log: ${logFile})`);
    }
    await sleep(pollMs, signal);
  }
}

async function askReady(http: string): Promise<string> {
  try {
    const response = await fetch(`${http}/readyz`, { signal: AbortSignal.timeout(requestMs) });
    const text = (await response.text()).trim();
    return response.ok ? "ready" : text;
  } catch {
    return "no answer";
  }
}
