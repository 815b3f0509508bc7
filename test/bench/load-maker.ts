// Runs the load maker, and reads what clients saw of a load.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { fromWamid } from "#dialects/message-id.ts";
import type { RunFile } from "#test/system.ts";
import type { Job, LoadResult } from "./load.ts";
import type { Acceptance } from "./simulated.ts";
import { type Percentiles, percentiles } from "./statistics.ts";

const root = new URL("../..", import.meta.url).pathname;

const resultSchema = z.object({
  sent: z.array(z.object({ wamid: z.string(), startedAtMs: z.number(), answeredAtMs: z.number() })),
  refused: z.number(),
  // Infinity where nothing was accepted, which JSON writes as null.
  firstAtMs: z
    .number()
    .nullable()
    .transform((value) => value ?? Number.POSITIVE_INFINITY),
  lastAtMs: z.number(),
  cpuSeconds: z.number(),
});

export type Load = { count: number; users: readonly string[]; label?: string } & (
  | { perSecond: number }
  | { concurrency: number }
);

/** `numbers` are the names of those that send in turn; default: all. */
export async function makeLoad(run: RunFile, load: Load, numbers?: readonly string[]): Promise<LoadResult> {
  const job: Job = {
    gateway: run.gateway,
    token: run.token,
    phoneNumberIds: run.numbers
      .filter(({ name }) => numbers?.includes(name) ?? true)
      .map(({ phoneNumberId }) => phoneNumberId),
    users: [...load.users],
    label: load.label ?? "bench",
    count: load.count,
    perSecond: "perSecond" in load ? load.perSecond : 0,
    concurrency: "concurrency" in load ? load.concurrency : 0,
  };
  const child = spawn(process.execPath, ["test/bench/load.ts"], { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(job));
  const output = await text(child.stdout);
  if (output === "") throw new Error("the load maker ended without a result");
  return resultSchema.parse(JSON.parse(output));
}

/** From the request to its answer, at the client. */
export function acceptMs({ sent }: LoadResult): Percentiles {
  return percentiles(sent.map(({ startedAtMs, answeredAtMs }) => answeredAtMs - startedAtMs));
}

/** From the client's answer to WhatsApp's acceptance, one value for each message that came there. */
export function waitsMs({ sent }: LoadResult, taken: readonly Acceptance[]): number[] {
  const arrivals = new Map(taken.map(({ messageId, atMs }) => [messageId, atMs]));
  return sent.flatMap(({ wamid, answeredAtMs }) => {
    const atMs = arrivals.get(fromWamid(wamid) ?? "");
    return atMs === undefined ? [] : [Math.max(0, atMs - answeredAtMs)];
  });
}
