// One watch, from its beginning to its end, and why it ended.
import type { Logger } from "pino";
import { ApiError, hasStatus } from "./api-error.ts";
import type { Client, Selection } from "./client.ts";
import type { Clock } from "./clock.ts";
import type { Resource } from "./objects.ts";

/**
 * timeout: by its own time, or the server cut it to shed load; the next may begin at once. short: likewise, but at once and without
 * news. idle: not a byte for too long. gone: the server does not have the version any more. The rest are faults.
 */
export type WatchEnd = "timeout" | "short" | "idle" | "gone" | "status" | "malformed" | "network" | "stopped";

type WatchOptions = {
  client: Client;
  resource: Resource;
  selection: Selection;
  resourceVersion: string;
  timeoutSeconds: number;
  idleMs: number;
  /** For each line; what it throws ends the watch. */
  onLine: (line: string) => void;
  /** For each chunk of bytes. */
  onHeard: () => void;
  clock: Clock;
  signal: AbortSignal;
  log: Logger;
};

const shortMs = 1_000;

/** Never rejects. */
export async function watchOnce(options: WatchOptions): Promise<WatchEnd> {
  const { client, resource, selection, resourceVersion, timeoutSeconds, onLine, clock, log } = options;
  const startedAtMs = clock.monotonicMs();
  using watchdog = watchOver(options);
  const { signal } = watchdog;
  let isCut = false;
  let hasNews = false;
  const onCut = (): void => void (isCut = true);
  const hooks = { onBytes: watchdog.heard, onCut };
  try {
    const place = { ...selection, resourceVersion, timeoutSeconds, signal, ...hooks };
    for await (const line of await client.watch(resource, place)) {
      onLine(line);
      hasNews = true;
    }
  } catch (error) {
    if (!signal.aborted) {
      log.debug({ err: error, kind: resource.kind }, "watch failed");
      return endOf(error);
    }
  }
  if (options.signal.aborted) return "stopped";
  if (signal.aborted) return "idle";
  if (isCut) return "network";
  return !hasNews && clock.monotonicMs() - startedAtMs < shortMs ? "short" : "timeout";
}

/** A signal that aborts with the given one, and when nothing is heard for `idleMs`. */
function watchOver({ idleMs, onHeard, clock, signal }: WatchOptions): Disposable & {
  signal: AbortSignal;
  heard: () => void;
} {
  const own = new AbortController();
  const stop = (): void => own.abort();
  let heardAtMs = clock.monotonicMs();
  // One timer for the silence, not one for each chunk: it looks, when it fires, how much of the silence is left.
  const look = (): void => {
    const leftMs = idleMs - (clock.monotonicMs() - heardAtMs);
    if (leftMs <= 0) stop();
    else cancel = clock.after(leftMs, look);
  };
  let cancel = clock.after(idleMs, look);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  return {
    signal: own.signal,
    heard() {
      heardAtMs = clock.monotonicMs();
      onHeard();
    },
    [Symbol.dispose]() {
      cancel();
      signal.removeEventListener("abort", stop);
    },
  };
}

/** What a failed watch or list means for the version it began from. */
export function endOf(error: unknown): WatchEnd {
  if (!(error instanceof ApiError)) return "network";
  // 400 is said to a version that cannot be read; too large is one that the server has not reached: it came from a backup.
  if (hasStatus(error, 400, 410) || /too large resource version/i.test(error.message)) return "gone";
  if (error.reason === "Malformed") return "malformed";
  return error.status === 0 ? "network" : "status";
}
