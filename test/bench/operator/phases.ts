// What is done to an operator and measured of it, one phase after the other, each beginning at rest.
import { sleep } from "#lib/lifecycle.ts";
import { businessAccounts, connectionClasses, secrets, whatsAppNumbers } from "#operator/kinds.ts";
import { pathOf, type Wish } from "#operator/runtime/objects.ts";
import { until } from "#test/until.ts";
import { type Process, sample } from "../proc.ts";
import { type Percentiles, percentiles } from "../statistics.ts";
import { fleetWrites, readWrites, type Writes, writesBetween } from "./api-requests.ts";
import { declareClass } from "./declared.ts";
import type { SeenNumber } from "./followed.ts";
import { type NodeProcess, sumSeries } from "./node-process.ts";
import type { World } from "./world.ts";

export type Stage = {
  world: World;
  operator: NodeProcess;
  say: (text: string) => void;
};

const longestMs = 900_000;
const quietMs = 8_000;
const memoryEveryMs = 2_000;

/** CPU and memory of the operator, and CPU of all the rest, while `work` lasts. */
export async function meter<T>({ world, operator, say }: Stage, work: () => Promise<T>) {
  const all: Process[] = [...world.processes, { name: "operator", pid: operator.pid }];
  const before = sample(all);
  let mostRssMiB = 0;
  let mostPssMiB = 0;
  const look = (): void => {
    const now = sample([{ name: "operator", pid: operator.pid }]).get("operator");
    mostRssMiB = Math.max(mostRssMiB, now?.rssMiB ?? 0);
    mostPssMiB = Math.max(mostPssMiB, now?.pssMiB ?? 0);
  };
  const timer = setInterval(look, memoryEveryMs);
  const [ownBefore, startedAtMs] = [process.cpuUsage(), performance.now()];
  try {
    const result = await work();
    const tookSeconds = (performance.now() - startedAtMs) / 1_000;
    look();
    const own = process.cpuUsage(ownBefore);
    const cpuSeconds: Record<string, number> = { bench: (own.user + own.system) / 1e6 };
    for (const [name, usage] of sample(all)) cpuSeconds[name] = usage.cpuSeconds - (before.get(name)?.cpuSeconds ?? 0);
    // Told at once too: a long run that breaks off has not been for nothing.
    say(`${JSON.stringify({ result, tookSeconds, cpuSeconds, mostRssMiB, mostPssMiB })}`);
    return { result, tookSeconds, cpuSeconds, mostRssMiB, mostPssMiB };
  } finally {
    clearInterval(timer);
  }
}

/** Until it may work. */
export async function untilLeads(operator: NodeProcess): Promise<void> {
  const leads = async (): Promise<boolean> => sumSeries(await operator.series(), "leader_election_master_status") === 1;
  await until(leads, { timeoutMs: 60_000, message: `${operator.name} does not lead` });
}

/** Resolves when the operator has nothing to do and nothing has changed for a while. */
export async function rest({ world, operator }: Stage): Promise<void> {
  const isQuiet = async (): Promise<boolean> => {
    if (performance.now() - world.followed.changedAtMs() < quietMs) return false;
    return sumSeries(await operator.series(), "workqueue_depth") === 0;
  };
  await until(isQuiet, { timeoutMs: longestMs, message: "the operator does not come to rest" });
}

function countOf(numbers: Iterable<SeenNumber>, is: (number: SeenNumber) => boolean): number {
  let count = 0;
  for (const number of numbers) if (is(number)) count += 1;
  return count;
}

/** All numbers are declared while the operator runs; until each has its pod and a settled status. */
export async function fill({ world, say }: Stage) {
  const { admin, declared, followed } = world;
  const { client } = admin;
  const size = declared.numbers.length;
  const options = { fieldManager: "bench" };
  await client.apply(connectionClasses, declareClass("heliograph:bench"), options);
  for (const secret of declared.secrets) await client.apply(secrets, secret, options);
  for (const account of declared.accounts) await client.apply(businessAccounts, account, options);
  const startedAtMs = performance.now();
  const since = (): number => (performance.now() - startedAtMs) / 1_000;
  await inTurn(declared.numbers, writers, (number) => client.apply(whatsAppNumbers, number, options));
  const declaredSeconds = since();
  say(`${size} numbers are declared`);
  const wait = { timeoutMs: longestMs };
  await until(() => followed.podCount() >= size, { ...wait, message: "not all pods are made" });
  const podsSeconds = since();
  say(`all pods are made`);
  const settled = (): number => countOf(followed.numbers(), ({ isSettled }) => isSettled);
  await until(() => settled() >= size, { ...wait, message: "not all numbers are settled" });
  return { declaredSeconds, podsSeconds, settledSeconds: since() };
}

const writers = 32;

/** So many at a time. */
async function inTurn<T>(items: readonly T[], concurrency: number, task: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const item of queue) await task(item);
    }),
  );
}

/** Until the status of each shows what the quality service found out about it. */
export async function untilLimitsShow({ world }: Stage): Promise<void> {
  const { followed, declared } = world;
  const shown = (): number => countOf(followed.numbers(), ({ hasLimit }) => hasLimit);
  await until(() => shown() >= declared.numbers.length, { timeoutMs: longestMs, message: "not all limits are shown" });
}

/** Edits that need another pod, one at a time; ms from the request to the pod in a watch, and from its answer. */
export async function edit(
  stage: Stage,
  count: number,
): Promise<{ fromRequest: Percentiles; fromAnswer: Percentiles }> {
  const { declared } = stage.world;
  const { numbers } = declared;
  const fromRequest: number[] = [];
  const fromAnswer: number[] = [];
  for (let index = 0; index < count; index += 1) {
    // Far from each other, so that accounts, nodes and pages are mixed.
    const number = numbers[(index * 7_919) % numbers.length];
    if (number === undefined) continue;
    const name = number.metadata.name;
    const { podAtMs, askedAtMs, answeredAtMs, epoch } = await editOne(stage, name);
    fromRequest.push(podAtMs - askedAtMs);
    fromAnswer.push(podAtMs - answeredAtMs);
    await untilMoved(stage, name, epoch);
  }
  return { fromRequest: percentiles(fromRequest), fromAnswer: percentiles(fromAnswer) };
}

/** Resolves when the pod that the edit asks for was told. */
export async function editOne({ world }: Pick<Stage, "world">, name: string) {
  const { admin, namespace, followed } = world;
  const epoch = (followed.number(name)?.epoch ?? 0) + 1;
  const pod = `${name}-c${epoch}`;
  const askedAtMs = performance.now();
  await admin.transport.send({
    method: "PATCH",
    path: pathOf(whatsAppNumbers, { namespace, name }),
    contentType: "application/merge-patch+json",
    // The pod carries an annotation of it.
    body: { spec: { disruption: { policy: epoch % 2 === 0 ? "Block" : "Migrate" } } },
  });
  const answeredAtMs = performance.now();
  const podAtMs = await until(() => followed.podSeenAtMs(pod), { timeoutMs: 120_000, message: `pod ${pod} is made` });
  return { askedAtMs, answeredAtMs, podAtMs, epoch };
}

/** The number is settled with the pod of that epoch alone. */
export async function untilMoved({ world }: Pick<Stage, "world">, name: string, epoch: number): Promise<void> {
  const { followed } = world;
  const isMoved = (): boolean => {
    const [pod, ...others] = followed.podsOf(name);
    return pod?.epoch === epoch && others.length === 0 && followed.number(name)?.isSettled === true;
  };
  await until(isMoved, { timeoutMs: 120_000, message: `${name} is settled with epoch ${epoch}` });
}

/** What the operator asks of the API server in so many minutes of nothing, and what is written to the fleet by anybody. */
export async function idle({ world, operator }: Stage, minutes: number) {
  const [requestsBefore, writesBefore] = [await requestsOf(operator), await readWrites(world.kube)];
  const reconcilesBefore = await reconcilesOf(operator);
  await sleep(minutes * 60_000);
  const [requestsAfter, writesAfter] = [await requestsOf(operator), await readWrites(world.kube)];
  const writes = writesBetween(writesBefore, writesAfter);
  const reconciles = (await reconcilesOf(operator)) - reconcilesBefore;
  return {
    requests: writesBetween(requestsBefore, requestsAfter),
    writes,
    fleetWrites: fleetWrites(writes),
    reconciles,
  };
}

export async function reconcilesOf(operator: NodeProcess): Promise<number> {
  return sumSeries(await operator.series(), "controller_runtime_reconcile_total");
}

/** By method, as the operator's client counts them. */
async function requestsOf(operator: NodeProcess): Promise<Writes> {
  const requests: Record<string, number> = {};
  for (const { name, labels, value } of await operator.series()) {
    if (name !== "rest_client_requests_total") continue;
    const { method = "" } = labels;
    requests[method] = (requests[method] ?? 0) + value;
  }
  return requests;
}

/** Another image for the whole class, until every number is settled with a pod of it and no other. */
export async function upgrade({ world, say }: Stage) {
  const { admin, declared, followed } = world;
  const size = declared.numbers.length;
  const epochs = new Map(Array.from(followed.numbers(), ({ metadata, epoch }) => [metadata.name, epoch]));
  const isMoved = ({ metadata: { name }, epoch, isSettled }: SeenNumber): boolean =>
    isSettled && epoch > (epochs.get(name) ?? 0) && followed.podsOf(name).length === 1;
  let mostMoving = 0;
  const wish: Wish = declareClass("heliograph:bench-2");
  const startedAtMs = performance.now();
  await admin.client.apply(connectionClasses, wish, { fieldManager: "bench" });
  let told = 0;
  const isDone = (): boolean => {
    mostMoving = Math.max(mostMoving, followed.podCount() - size);
    const moved = countOf(followed.numbers(), isMoved);
    if (moved - told >= Math.max(500, size / 5)) {
      told = moved;
      say(`${moved} of ${size} have moved`);
    }
    return moved === size;
  };
  await until(isDone, { timeoutMs: longestMs, message: "not all numbers have moved" });
  return { seconds: (performance.now() - startedAtMs) / 1_000, mostMoving };
}
