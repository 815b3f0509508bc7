// The bench's receiver from outside: started, asked for its counts, waited for.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { z } from "zod";
import { sleep } from "#lib/lifecycle.ts";
import { until } from "#test/until.ts";

const root = new URL("../..", import.meta.url).pathname;

const countsSchema = z.object({
  requests: z.number(),
  badSignature: z.number(),
  /** What users wrote. */
  inbound: z.number(),
  /** Messages with all of sent, delivered and read. */
  complete: z.number(),
  failed: z.number(),
  /** Statuses that a message had already: deliveries are at least once. */
  repeated: z.number(),
  /** Of the last delivery; ms since the epoch. */
  lastAtMs: z.number(),
});
export type Counts = z.infer<typeof countsSchema>;

export type Deliveries = AsyncDisposable & {
  url: string;
  pid: number;
  counts(): Promise<Counts>;
  /** Waits until so many messages have all their statuses, or failed. Rejects when nothing more comes. */
  settled(messages: number, onProgress?: (counts: Counts) => void): Promise<Counts>;
};

const lookMs = 100;
const stalledMs = 90_000;
const tellEveryMs = 30_000;

export async function startDeliveries(port: number, secret: string): Promise<Deliveries> {
  const url = `http://127.0.0.1:${port}/`;
  const child = spawn(process.execPath, ["test/bench/receiver.ts", String(port), secret], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const counts = async (): Promise<Counts> => countsSchema.parse(await (await fetch(url)).json());
  try {
    await until(counts, { message: "the bench's receiver did not start" });
  } catch (error) {
    await end(child);
    throw error;
  }
  return {
    url,
    pid: child.pid ?? 0,
    counts,
    settled: (messages, onProgress) => waitFor(counts, messages, onProgress),
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function waitFor(
  read: () => Promise<Counts>,
  messages: number,
  onProgress: ((counts: Counts) => void) | undefined,
): Promise<Counts> {
  let movedAtMs = performance.now();
  let toldAtMs = movedAtMs;
  for (let before = -1; ;) {
    const counts = await read();
    const done = counts.complete + counts.failed;
    if (done >= messages) return counts;
    const nowMs = performance.now();
    if (done !== before) movedAtMs = nowMs;
    if (nowMs - movedAtMs > stalledMs)
      throw new Error(
        `${done} of ${messages} messages have all statuses, and for ${stalledMs / 1_000} s no further one`,
      );
    if (nowMs - toldAtMs > tellEveryMs) {
      onProgress?.(counts);
      toldAtMs = nowMs;
    }
    before = done;
    await sleep(lookMs);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, "exit");
}
