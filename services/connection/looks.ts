// Looks at the number as the upstream has it: at the grant, hourly and at news for its throughput level, and to find out whether
// trouble is over where no message is there to try. Renewals are its clock, so it has no timer of its own.
import type { Log } from "#lib/log.ts";
import type { Look } from "./domain/outcome.ts";
import { lookAtNumber } from "./number-calls.ts";
import type { Upstream } from "./upstream.ts";

export type Looks = {
  /** Meta's word for the number's throughput level; undefined until it was told once. */
  throughputLevel(): string | undefined;
  /** Looks now, unless a look is under way. */
  look(): void;
  /** Looks now; a look under way tells of the time before, and is left aside. */
  lookAnew(): void;
  /** Looks if it is time to. */
  lookIfDue(): void;
  /** Ends the look under way. */
  stop(): Promise<void>;
};

type Options = {
  phoneNumberId: string;
  upstream: Upstream;
  /** Monotonic. */
  nowMs: () => number;
  log: Log;
  onLook: (look: Look) => void;
};

const everyMs = 60 * 60 * 1_000;
const afterFailureMs = 60_000;

export function createLooks({ phoneNumberId, upstream, nowMs, log, onLook }: Options): Looks {
  const stopping = new AbortController();
  let level: string | undefined;
  let dueAtMs = nowMs();
  let running: Promise<void> | undefined;
  let isStale = false;

  async function run(): Promise<void> {
    let found: Look;
    do {
      isStale = false;
      found = await lookAtNumber(upstream, phoneNumberId, stopping.signal);
    } while (isStale && !stopping.signal.aborted);
    if (stopping.signal.aborted) return;
    if (found.kind === "read") {
      if (found.throughputLevel !== level) log.info({ level: found.throughputLevel }, "throughput level is known");
      level = found.throughputLevel;
    } else log.debug({ kind: found.kind }, "the number could not be looked at, will try again");
    // Numbers of one account would else look in step.
    dueAtMs = nowMs() + (found.kind === "read" ? everyMs * (1 - Math.random() / 10) : afterFailureMs);
    onLook(found);
  }

  function look(): void {
    if (stopping.signal.aborted) return;
    running ??= run()
      // A bug here must not end the number's process: nothing is sent by a look.
      .catch((error: unknown) => log.error({ err: error }, "look at the number failed unexpectedly"))
      .finally(() => {
        running = undefined;
      });
  }

  return {
    throughputLevel: () => level,
    look,
    lookAnew() {
      isStale = true;
      look();
    },
    lookIfDue() {
      if (nowMs() >= dueAtMs) look();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
