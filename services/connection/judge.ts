// Brings claimed messages to a verdict: facts first, then the rules. Messages whose facts cannot be had stay and are tried again.
import { decideAdmission, type Verdict } from "#admission/domain/admission.ts";
import { type Backoff, backoffMs } from "./domain/backoff.ts";
import type { FactsSource } from "./facts.ts";
import type { Held } from "./wire.ts";

export type FinalVerdict = Exclude<Verdict, { verdict: "incomplete" }>;

export type Judge = {
  /** Judges the batch; each message gets its verdict once, now or when its facts can be had. */
  submit(batch: readonly Held[]): void;
  /** Messages whose facts could not be had. */
  stuck(lane: Held["lane"]): number;
  stop(): void;
};

type Options = {
  facts: FactsSource;
  wabaId: () => string;
  now: () => Date;
  /** Monotonic. */
  nowMs: () => number;
  /** Whether the message waits in memory still. */
  isHeld: (held: Held) => boolean;
  onVerdict: (held: Held, verdict: FinalVerdict) => void;
  /** After the verdicts of a batch. */
  onDone: () => void;
};

const retry: Backoff = { firstMs: 200, factor: 2, maxMs: 5_000 };

export function createJudge({ facts, wabaId, now, nowMs, isHeld, onVerdict, onDone }: Options): Judge {
  let stuck = new Set<Held>();
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function judge(batch: readonly Held[]): Promise<void> {
    const gathered = await facts.gather(batch, wabaId());
    if (isStopped) return;
    let isComplete = true;
    for (const [at, held] of batch.entries()) {
      if (!isHeld(held)) continue;
      const fact = gathered[at] ?? {};
      const verdict = decideAdmission(held.subject, fact, now());
      if (verdict.verdict === "incomplete") {
        isComplete = false;
        stuck.add(held);
      } else {
        held.facts = fact;
        held.judgedAtMs = nowMs();
        onVerdict(held, verdict);
      }
    }
    failures = isComplete ? 0 : failures + 1;
    if (stuck.size > 0) timer ??= setTimeout(tryAgain, backoffMs(retry, failures, Math.random()));
    onDone();
  }

  function tryAgain(): void {
    timer = undefined;
    const batch = [...stuck].filter(isHeld);
    stuck = new Set();
    if (batch.length > 0) void judge(batch);
  }

  return {
    submit(batch) {
      if (batch.length > 0) void judge(batch);
    },
    stuck: (lane) => [...stuck].filter((held) => held.lane === lane && isHeld(held)).length,
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
