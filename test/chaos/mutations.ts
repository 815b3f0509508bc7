// Proof that the judges bite: a scenario that is harmless as things are, and is found out with the fence or the intent switched off.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "#lib/grpc.ts";
import { planPorts } from "#local/ports.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { until } from "#test/until.ts";
import { gather } from "./evidence.ts";
import { createFaults, endRival, signal, startRival } from "./faults.ts";
import { judge, type Verdict } from "./judges.ts";
import { type Accepted, openWindows, startLoad } from "./load.ts";
import { settle } from "./play.ts";
import { leaseMs, openStage, type Stage } from "./stage.ts";

export const mutations = ["no_fence", "no_intent"] as const;

export type Mutation = (typeof mutations)[number];

/** What the judges must say of it. */
export const ruleOf: Readonly<Record<Mutation, string>> = { no_fence: "stale begin", no_intent: "no intent" };

const perSecond = 20;
const enough = 10;
const timeoutMs = 30_000;
const granted = "lease granted";
const oldTerm = 1n;

/**
 * A connection loses its number to another one while it is frozen. Of messages that nobody has begun yet it then asks to begin
 * some, as if it had held them in memory. Without a mutation this ends when all is settled; with one, when the judges notice, or
 * after a time.
 */
export async function provoke(mutation?: Mutation): Promise<Verdict> {
  const env = mutation === undefined ? {} : { HELIOGRAPH_MUTATE: mutation };
  await using stage = await openStage({ messages: env, connection: env });
  const { run } = stage.system;
  const [number] = run.numbers;
  if (number === undefined) throw new Error("the samples declare no number");
  await openWindows(stage);
  const rival = startRival(stage, number.name, false);
  try {
    const says = async (words: string): Promise<boolean> =>
      (await readFile(join(stage.logs, `rival-${number.name}.log`), "utf8")).includes(words);
    // On a slow machine the first holder's lease may run out before it is frozen.
    const asked = async (): Promise<boolean> => (await says("another process holds the lease")) || says(granted);
    await until(asked, { timeoutMs, message: "the rival does not ask for the lease" });
    const freeze = { kind: "freeze", process: `connection-${number.name}`, forMs: 4 * leaseMs } as const;
    const frozen = createFaults(stage).inflict(freeze);
    await until(() => says(granted), { timeoutMs, message: "the rival was not granted the lease" });
    signal(rival.pid ?? 0, "SIGSTOP");
    const load = startLoad(run, perSecond);
    const unbegun = (): Accepted[] => load.accepted.filter((one) => one.phoneNumberId === number.phoneNumberId);
    await until(() => unbegun().length >= enough, { timeoutMs, message: "nothing was accepted" });
    await beginUnder(stage, oldTerm, unbegun());
    signal(rival.pid ?? 0, "SIGCONT");
    await Promise.all([frozen, load.stop()]);
    if (mutation === undefined) return (await settle(stage, load)).verdict;
    const look = async (): Promise<Verdict> => judge(await gather(run, stage.databaseUrl, load));
    const isNoticed = async (): Promise<boolean> =>
      (await look()).violations.some(({ rule }) => rule === ruleOf[mutation]);
    await until(isNoticed, { timeoutMs }).catch(() => undefined);
    return await look();
  } finally {
    await endRival(rival);
  }
}

/** As a holder of that term asks; what the fence answers is for the judges to see. */
async function beginUnder({ portBase }: Stage, term: bigint, messages: readonly Accepted[]): Promise<void> {
  const { grpc } = planPorts({ base: portBase }, 0).services.messages;
  await using client = createClient(MessagesService, `127.0.0.1:${grpc}`);
  for (const { phoneNumberId, messageId } of messages)
    await client.begin({ phoneNumberId, term, attempts: [{ messageId, attempt: 1 }] }).catch(() => undefined);
}
