// One schedule: a system comes up, things go wrong, they are mended, and it must come to rest as it should be.
import { ApiServer } from "./api-server.ts";
import { Node } from "./cluster.ts";
import { startControlPlane } from "./control-plane.ts";
import { faults } from "./faults.ts";
import { Judges, type Tally, type Violation } from "./judges.ts";
import { Messages } from "./messages.ts";
import { Operator } from "./operator.ts";
import { realRules, type Rules } from "./rules.ts";
import type { Scene } from "./scene.ts";
import { Machine } from "./time.ts";
import { between, createWorld, pick } from "./world.ts";

export type Result = {
  seed: number;
  violations: readonly Violation[];
  tally: Tally;
  faults: readonly string[];
  /** From the end of the last fault until everything was as it should be. */
  settledMs: number;
  events: number;
};

export type PlayOptions = { seed: number; rules?: Rules; tell?: (line: string) => void; only?: readonly string[] };

// Pods are taken over for their silence when they are older than a minute.
const warmUpMs = 65_000;
const sendFromMs = 58_000;
const faultsMs = 60_000;
const settleLimitMs = 420_000;
const lookMs = 5_000;
/** So long everything must stay as it should be. */
const restMs = 15_000;
const messageEveryMs = 2_500;
const quietGapMs = 2_000;
const burst = 4;

export function play({ seed, rules = realRules, tell, only }: PlayOptions): Result {
  const scene = buildScene(seed, rules, tell);
  const { world, api, operators } = scene;
  const { agenda, judges } = world;
  agenda.runUntil(warmUpMs);
  const { names, endMs } = drawFaults(scene, only);
  const surge = 1;
  // An operator that starts counts anew, one of two counts its own; what is slow or away was decided on before it could be seen.
  const isCounted = names.every((name) => !/operator|slow|messages/.test(name));
  judges.mostMoving = isCounted ? surge : Number.POSITIVE_INFINITY;
  agenda.runUntil(Math.max(agenda.nowMs, endMs));
  mend(scene);
  const mendedAtMs = agenda.nowMs;
  let restedMs = 0;
  let state = "";
  let faultless: string | undefined = "";
  while (restedMs < restMs && agenda.nowMs - mendedAtMs < settleLimitMs) {
    agenda.runUntil(agenda.nowMs + lookMs);
    faultless = findFault(scene);
    const epochs = stateOf(api);
    restedMs = faultless === undefined && (restedMs === 0 || epochs === state) ? restedMs + lookMs : 0;
    state = epochs;
  }
  if (faultless !== undefined) judges.fail("comes to rest", faultless);
  else if (restedMs < restMs) judges.fail("comes to rest", "pods or epochs keep changing");
  judgeEpochs(scene, names.length);
  if (isQuiet(names)) judgeGaps(judges);
  for (const operator of operators) operator.die();
  const settledMs = agenda.nowMs - restedMs - mendedAtMs;
  return { seed, violations: judges.violations, tally: judges.tally, faults: names, settledMs, events: agenda.ran };
}

function buildScene(seed: number, rules: Rules, tell: ((line: string) => void) | undefined): Scene {
  const world = createWorld(seed, rules, (agenda) => new Judges(agenda), tell);
  const { agenda, judges } = world;
  const api = new ApiServer(world);
  const messages = new Messages(world);
  const badSpecs = new Set<string>();
  startControlPlane(world, api);
  const count = world.random() < 0.7 ? 1 + Math.floor(world.random() * 2) : 3 + Math.floor(world.random() * 3);
  const numbers = Array.from({ length: count }, (_, index) => `num-${index + 1}`);
  const nodes = Array.from(
    { length: 3 + Math.floor(world.random() * 2) },
    (_, index) => new Node(world, api, messages, `node-${index + 1}`, badSpecs),
  );
  const operatorMachines = ["op-1", "op-2"].map((name) => new Machine(name, agenda, 0));
  const classRules = { surge: { percent: 1, min: 1, max: 1 }, canary: undefined, revision: "", wasCanaryOver: true };
  const operators = operatorMachines.map(
    (machine) => new Operator({ world, name: machine.name, machine, api, messages, classRules }),
  );
  operators[0]?.lead(true);
  messages.onNews = (news) => {
    for (const operator of operators) operator.register.told(news);
  };
  messages.onHint = (number, hint) => {
    for (const node of nodes) {
      for (const connection of node.connections()) if (connection.number === number) connection.hint(hint);
    }
  };
  judges.waits = (number, epoch) => {
    const row = messages.row(number);
    const { state, epoch: held } = row.lease;
    return state !== "free" && held < epoch && (messages.isAlive(row) || !messages.isUp);
  };
  for (const name of numbers) {
    api.applyNumber(name, { specHash: "spec-0" });
    const send = (): void => {
      if (messages.isUp) messages.accept(name);
      agenda.after(between(world, 0.5, 1.5) * messageEveryMs, send);
    };
    agenda.after(sendFromMs, send);
  }
  return { world, api, messages, nodes, operators, operatorMachines, numbers, badSpecs, specHash: "spec-0", specs: 0 };
}

function drawFaults(scene: Scene, only: readonly string[] | undefined): { names: string[]; endMs: number } {
  const { world } = scene;
  const all = only ?? Object.keys(faults);
  const count = Math.floor(world.random() * 6);
  const names: string[] = [];
  let endMs = world.agenda.nowMs;
  const drawn = Array.from({ length: count }, () => ({
    name: pick(world, all) ?? "",
    atMs: world.random() < 0.3 ? between(world, 0, 3_000) : between(world, 0, faultsMs),
  })).sort((a, b) => a.atMs - b.atMs);
  for (const { name, atMs } of drawn) {
    names.push(name);
    // Something is on its way when it happens.
    world.agenda.after(atMs - between(world, 0, 400), () => {
      for (const number of scene.numbers)
        for (let left = burst; left > 0; left--) if (scene.messages.isUp) scene.messages.accept(number);
    });
    world.agenda.after(atMs, () => {
      world.trace(() => `FAULT ${name}`);
      const ms = faults[name]?.(scene) ?? 0;
      endMs = Math.max(endMs, world.agenda.nowMs + ms);
    });
  }
  world.hasSpikes = !isQuiet(names);
  world.agenda.runUntil(world.agenda.nowMs + (drawn.at(-1)?.atMs ?? 0) + 1_000);
  return { names, endMs };
}

/** Nothing happens but planned moves. */
function isQuiet(names: readonly string[]): boolean {
  return names.every((name) => name === "node drained" || name === "class changed");
}

function mend(scene: Scene): void {
  const { world, api, messages, nodes, operators, operatorMachines } = scene;
  world.trace(() => "everything is mended");
  world.slowness = 5;
  world.connectMs = 10;
  world.hintLoss = 0;
  messages.isUp = true;
  api.isUp = true;
  for (const machine of operatorMachines) {
    machine.reachesApi = true;
    machine.reachesMessages = true;
  }
  for (const node of nodes) {
    if (node.isLostForGood) continue;
    node.machine.reachesApi = true;
    node.machine.reachesMessages = true;
    node.startKubelet();
    node.powerOn();
    if (api.nodes.get(node.name)?.isUnschedulable === true) {
      world.agenda.after(40_000, () => api.putNode(node.name, { isUnschedulable: false }));
    }
  }
  const [first, second] = operators;
  if (first !== undefined && second !== undefined && first.leads === second.leads) second.lead(!first.leads);
}

function stateOf({ numbers, pods }: ApiServer): string {
  const epochs = Array.from(numbers.values(), ({ name, uid, status }) => `${name}/${uid}/${status.epoch}`);
  return [...epochs, ...Array.from(pods.values(), ({ view }) => view.metadata.uid)].join(" ");
}

/** Undefined: each number has one pod, of its newest epoch, which holds the lease and sends. */
function findFault({ api, messages, nodes, numbers }: Scene): string | undefined {
  const lost = new Set(nodes.filter(({ isLostForGood }) => isLostForGood).map(({ name }) => name));
  for (const name of numbers) {
    const number = api.numbers.get(name);
    if (number === undefined) return `${name} is not there`;
    const left = Array.from(api.pods.values()).some(
      ({ view }) => view.ownerUid === number.uid && lost.has(view.nodeName ?? ""),
    );
    // It goes when somebody removes the node that cannot say that its pod is over.
    if (number.isDeleting && left) continue;
    const { epoch } = number.status;
    const pods = Array.from(api.pods.values(), ({ view }) => view).filter((view) => view.number === `default/${name}`);
    const current = pods.find((view) => view.epoch === epoch && view.ownerUid === number.uid);
    if (current === undefined) return `${name} has no pod of epoch ${epoch}`;
    const others = pods.filter((view) => view !== current && !lost.has(view.nodeName ?? ""));
    if (others.length > 0) return `${name} has old pods: ${others.map(({ metadata }) => metadata.uid).join(", ")}`;
    const { lease } = messages.row(name);
    if (lease.state !== "held" || !messages.isAlive(messages.row(name)))
      return `${name} is held by nobody (${lease.state})`;
    if (lease.holder !== current.metadata.uid) return `${name} is held by ${lease.holder}, not ${current.metadata.uid}`;
    if (current.specHash !== number.specHash) return `${name} has a pod of another spec`;
    if (number.status.podUid !== current.metadata.uid) return `${name} has the uid of its pod not in its status`;
    const oldest = messages.row(name).open.values().next().value;
    if (oldest !== undefined && oldest.state !== "unknown" && openForMs(messages, oldest.acceptedAt) > 60_000)
      return `${name} does not send: ${oldest.messageId} is ${oldest.state} for long`;
  }
  return undefined;
}

function openForMs(messages: Messages, acceptedAt: Date): number {
  return messages.nowMs - acceptedAt.getTime();
}

/** An epoch costs a pod: no more than what happened explains. */
function judgeEpochs({ world, numbers }: Scene, happened: number): void {
  const most = numbers.length * (1 + 2 * happened) + happened;
  const { epochs } = world.judges.tally;
  if (epochs > most)
    world.judges.fail("few epochs", `${epochs} epochs of ${numbers.length} numbers, after ${happened} faults`);
}

/** Planned moves alone interrupt sending for two seconds at most. */
function judgeGaps(judges: Judges): void {
  for (const { number, lengthMs, from } of judges.gaps) {
    if (lengthMs > quietGapMs)
      judges.fail("short gaps", `${number} was ${from} and without a holder for ${Math.round(lengthMs)} ms`);
  }
}
