// What goes wrong and when, drawn from the seed alone: the same seed makes the same schedule, on any machine.

/** A rule for the simulator's /admin/faults, without its id. */
export type UpstreamRule = { kind: string; probability: number } & Record<string, string | number>;

export type Fault =
  /** kill -9 of all of them at one moment; `early`: also of one that is still starting. */
  | { kind: "kill"; processes: readonly string[]; early: boolean }
  /** SIGSTOP, and SIGCONT after that time. */
  | { kind: "freeze"; process: string; forMs: number }
  /** The process is started anew and dies by SIGKILL at the n-th passage of the point. */
  | { kind: "crash"; process: string; point: string; passage: number }
  /** The wall clock of the process is wrong by `byMs` for that time, also if it starts anew meanwhile; then it is right again. */
  | { kind: "jump"; process: string; byMs: number; forMs: number }
  /** WhatsApp misbehaves for that time. */
  | { kind: "upstream"; rule: UpstreamRule; forMs: number }
  /**
   * A second connection process for the number, started by hand. `standby` waits, `take_over` asks the first to leave, `usurp`
   * waits and the first is frozen for longer than its lease, then wakes. It ends by the signal after that time.
   */
  | {
      kind: "rival";
      number: string;
      way: "standby" | "take_over" | "usurp";
      forMs: number;
      end: "SIGTERM" | "SIGKILL";
    };

/** `pauseMs`: after the beginning of the one before. `atWork`: only when messages are accepted again, if that is soon. */
export type Step = { pauseMs: number; atWork: boolean; fault: Fault };

type Plan = {
  seed: number;
  /** SIGKILLs at least. */
  kills: number;
  /** Names of the numbers. */
  numbers: readonly string[];
  leaseMs: number;
};

/** Those with a wall clock that can be moved; `connection-<number>` is another. */
export const clockOwners = ["messages", "gateway", "webhooks", "billing", "templates", "quality"] as const;
const services = [...clockOwners, "nats", "postgres"] as const;

const around = (...commits: readonly string[]): string[] =>
  commits.flatMap((commit) => [`${commit}.before`, `${commit}.after`]);

/** Every named point of crash, by the process that passes it; `connection` stands for that of any number. */
export const crashPoints = {
  messages: [
    ...around("commit.send", "commit.begin", "commit.finish", "commit.ingest", "commit.sweep"),
    ...around("lease.acquire", "lease.renew", "lease.end", "lease.lapses"),
    ...around("outbox.publish", "outbox.commit"),
  ],
  // Of the request: not begun, its first byte, all of it on its way, the answer's head, all of the answer.
  connection: [
    "send.request.before",
    "send.request.starts",
    "send.request.sent",
    "send.answer.begins",
    "send.answer.after",
  ],
  gateway: around("call.send", "call.ingest"),
  webhooks: around("deliveries.insert", "delivery.post", "outcomes.save"),
  billing: around("windows.save"),
  quality: around("news.messages", "news.numbers", "commit"),
  templates: around("commit"),
} as const satisfies Readonly<Record<string, readonly string[]>>;

type CrashPoint = { owner: string; point: string };

const allCrashPoints: readonly CrashPoint[] = Object.entries(crashPoints).flatMap(([owner, points]) =>
  points.map((point) => ({ owner, point })),
);

// Codes and statuses that WhatsApp answers with when it is in trouble; those that rest a number for minutes are left out.
const statusRules: readonly UpstreamRule[] = [
  { kind: "status", probability: 1, status: 500, code: 131_000 },
  { kind: "status", probability: 1, status: 503, code: 131_016 },
  { kind: "status", probability: 1, status: 429, code: 130_429 },
];
const apiKinds = ["cut_before", "cut_after", "reset_mid_answer", "garbage", "hang"] as const;
const newsKinds = ["webhook_double", "webhook_drop_then_retry"] as const;

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const shortestPauseMs = 200;
const longestPauseMs = 1_400;

export function planFaults({ seed, kills, numbers, leaseMs }: Plan): Step[] {
  const dice = createDice(seed);
  const points = shuffled(dice, allCrashPoints);
  const steps: Step[] = [];
  for (let planned = 0; planned < kills;) {
    const pauseMs = dice.between(shortestPauseMs, longestPauseMs);
    const atWork = dice.between(0, 3) > 0;
    const fault = drawFault({ dice, points, numbers, leaseMs });
    steps.push({ pauseMs, atWork, fault });
    planned += killsOf(fault);
  }
  return steps;
}

/** How many SIGKILLs it brings for sure: a crash is armed by one, its point may not be reached. */
export function killsOf(fault: Fault): number {
  switch (fault.kind) {
    case "kill":
      return fault.processes.length;
    case "crash":
      return 1;
    case "rival":
      return fault.end === "SIGKILL" ? 1 : 0;
    case "freeze":
    case "jump":
    case "upstream":
      return 0;
  }
}

/** By how much any clock is ahead at most; 0 if none ever is. */
export function furthestJumpMs(steps: readonly Step[]): number {
  return Math.max(0, ...steps.map(({ fault }) => (fault.kind === "jump" ? fault.byMs : 0)));
}

type Drawing = Pick<Plan, "numbers" | "leaseMs"> & {
  dice: Dice;
  /** Dealt in turn, so that a run meets as many different ones as it has crashes. */
  points: CrashPoint[];
};

function drawFault({ dice, points, numbers, leaseMs }: Drawing): Fault {
  const kind = dice.between(0, 99);
  if (kind < 38) return drawKill(dice, numbers);
  if (kind < 58) return drawCrash(dice, points, numbers);
  if (kind < 69) return { kind: "freeze", process: drawProcess(dice, numbers), forMs: drawFreezeMs(dice, leaseMs) };
  if (kind < 79) return drawJump(dice, numbers);
  if (kind < 93) return { kind: "upstream", rule: drawRule(dice), forMs: dice.between(500, 2_500) };
  return {
    kind: "rival",
    number: dice.one(numbers),
    way: dice.one(["standby", "take_over", "usurp"] as const),
    forMs: 3 * leaseMs + dice.between(0, leaseMs),
    end: dice.one(["SIGTERM", "SIGKILL"] as const),
  };
}

function drawKill(dice: Dice, numbers: readonly string[]): Fault {
  const first = drawProcess(dice, numbers);
  const second = drawProcess(dice, numbers);
  const both = dice.between(0, 5) === 0 && second !== first;
  return { kind: "kill", processes: both ? [first, second] : [first], early: dice.between(0, 3) === 0 };
}

function drawCrash(dice: Dice, points: CrashPoint[], numbers: readonly string[]): Fault {
  const [next = dice.one(allCrashPoints)] = points.splice(0, 1);
  points.push(next);
  const { owner, point } = next;
  const process = owner === "connection" ? `connection-${dice.one(numbers)}` : owner;
  return { kind: "crash", process, point, passage: dice.one([1, 1, 2, 3]) };
}

const jumpsMs = [second, 5 * second, 30 * second, minute, 10 * minute, hour, day] as const;

/** Forwards or back, and in half of all cases by less than a minute: that is about what the times of the system are. */
function drawJump(dice: Dice, numbers: readonly string[]): Extract<Fault, { kind: "jump" }> {
  const process = dice.between(0, 2) === 0 ? `connection-${dice.one(numbers)}` : dice.one(clockOwners);
  const byMs = dice.one(jumpsMs) * dice.one([1, -1]);
  return { kind: "jump", process, byMs, forMs: dice.between(500, 4_000) };
}

/** A connection every third time: that is where a message can be lost or doubled. */
function drawProcess(dice: Dice, numbers: readonly string[]): string {
  return dice.between(0, 2) === 0 ? `connection-${dice.one(numbers)}` : dice.one(services);
}

/** Every other time longer than the lease. */
function drawFreezeMs(dice: Dice, leaseMs: number): number {
  return dice.between(0, 1) === 0 ? dice.between(50, leaseMs / 2) : dice.between(leaseMs * 1.2, leaseMs * 2);
}

function drawRule(dice: Dice): UpstreamRule {
  const probability = dice.one([0.2, 0.5, 1]);
  switch (dice.between(0, 5)) {
    case 0:
      return { ...dice.one(statusRules), probability };
    case 1:
      return { kind: "slow", probability, ms: dice.between(200, 2_000) };
    case 2:
      return {
        kind: dice.one(["webhook_delay", "webhook_shuffle"] as const),
        probability,
        ms: dice.between(200, 2_000),
      };
    case 3:
      return { kind: "storm", probability: 0.2, copies: dice.between(3, 12) };
    case 4:
      return { kind: dice.one(newsKinds), probability };
    default:
      return { kind: dice.one(apiKinds), probability };
  }
}

function shuffled<T>(dice: Dice, values: readonly T[]): T[] {
  const left = [...values];
  return values.flatMap(() => left.splice(dice.between(0, left.length - 1), 1));
}

type Dice = { between(least: number, most: number): number; one<T>(values: readonly T[]): T };

/** mulberry32: small, the same everywhere, good enough to choose by. */
export function createDice(seed: number): Dice {
  let state = seed | 0;
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const between = (least: number, most: number): number => {
    const from = Math.ceil(least);
    return from + Math.floor(next() * (Math.floor(most) - from + 1));
  };
  return {
    between,
    one<T>(values: readonly T[]): T {
      const value = values[between(0, values.length - 1)];
      if (value === undefined) throw new RangeError("nothing to choose from");
      return value;
    },
  };
}
