// Drops the partitions of days that were kept long enough, and forgets what users wrote to pass-through numbers.
import { type Loop, loop } from "#lib/lifecycle.ts";
import type { Log } from "#lib/log.ts";
import { type Pool, transaction } from "#lib/postgres.ts";
import { isOutlived, type Retention } from "./domain/retention.ts";
import { dropPartition, hasOpenMessages, type Kind, loadDays } from "./store/partitions.ts";
import { deleteStray, forgetInbound, isOutboxBehind, loadPassing, type Passing } from "./store/retention.ts";
import type { StreamState } from "./topology.ts";

type Dependencies = Retention & {
  db: Pool;
  loadStream: () => Promise<StreamState>;
  now: () => Date;
  /** How often contents of pass-through numbers are looked after. */
  forgetEveryMs: number;
  log: Log;
};

const dayMs = 86_400_000;
// Hours of a day are its jitter, so that is often enough; a drop that met a long statement goes again then.
const dropEveryMs = 600_000;

export function startRetention(dependencies: Dependencies): AsyncDisposable {
  const { forgetEveryMs, log } = dependencies;
  const forget = createForgetting(dependencies);
  const loops: Loop[] = [
    loop({ name: "retention", intervalMs: dropEveryMs, jitter: 0.2, log, task: () => dropOutlived(dependencies) }),
    loop({ name: "pass-through", intervalMs: forgetEveryMs, jitter: 0.2, log, task: forget }),
  ];
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(loops.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

async function dropOutlived({ db, contentDays, messageDays, now, log }: Dependencies): Promise<void> {
  const kinds: [kind: Kind, days: number][] = [
    ["contents", contentDays],
    ["inbound", contentDays],
    ["messages", messageDays],
  ];
  for (const [kind, days] of kinds) {
    for (const day of await loadDays(db, kind)) {
      if (!isOutlived(day, days, now())) break;
      // A message that may still be sent, or whose outcome is open, keeps its day.
      if (kind !== "inbound" && (await hasOpenMessages(db, day))) continue;
      await transaction(db, (tx) => dropPartition(tx, kind, day));
      log.info({ kind, day: day.name }, "day dropped");
    }
  }
  await deleteStray(db, new Date(now().getTime() - contentDays * dayMs));
}

/** Rows in hand. */
const handfulRows = 10_000;

type Mark = Passing & { createdAt: Date; lastSeq: number | undefined };

/**
 * What users wrote to a pass-through number goes once all readers of the news have acknowledged it. Of the rows in hand that is
 * known when their events have left the outbox, and the stream, which keeps by interest, has nothing left of what it had then.
 * What came before the stream was made may have been lost with its forerunner: it stays until its day goes, to be published again.
 */
function createForgetting({ db, loadStream }: Dependencies): () => Promise<void> {
  let mark: Mark | undefined;
  return async () => {
    const stream = await loadStream();
    if (mark?.createdAt.getTime() !== stream.createdAt.getTime()) {
      const { createdAt } = stream;
      const passing = await loadPassing(db, { since: createdAt, most: handfulRows });
      mark = { ...passing, createdAt, lastSeq: undefined };
    }
    if (mark.lastSeq === undefined && !(await isOutboxBehind(db, mark.lastOutboxId))) {
      mark.lastSeq = (await loadStream()).lastSeq;
    }
    if (mark.lastSeq === undefined || stream.firstSeq <= mark.lastSeq) return;
    if (mark.keys.length > 0) await forgetInbound(db, mark.keys);
    mark = undefined;
  };
}
