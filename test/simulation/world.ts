// What all parts of a simulated system share: time, chance, the network, the trace and the judges.
import type { Judges } from "./judges.ts";
import type { Rules } from "./rules.ts";
import { Agenda, createRandom, Machine, Process, type Random } from "./time.ts";

export type World = {
  agenda: Agenda;
  random: Random;
  rules: Rules;
  judges: Judges;
  /** `text` is made only when somebody reads it. */
  trace: (text: () => string) => void;
  /** Half of the network's requests take this long; few of them much longer. */
  slowness: number;
  /** Half of the sockets to WhatsApp take this long to connect. */
  connectMs: number;
  /** Single requests may take seconds. */
  hasSpikes: boolean;
  /** A hint over NATS is lost this often. */
  hintLoss: number;
};

export type Service = "api" | "messages";

/** A failed call: `lost`, or what the service said. */
export type Failure = "lost" | "fenced" | "conflict" | "gone";
export type Reply<T> = { ok: true; value: T } | { ok: false; why: Failure };

export function createWorld(
  seed: number,
  rules: Rules,
  judges: (agenda: Agenda) => Judges,
  tell?: (line: string) => void,
): World {
  const agenda = new Agenda();
  return {
    agenda,
    random: createRandom(seed),
    rules,
    judges: judges(agenda),
    slowness: 5,
    connectMs: 10,
    hasSpikes: true,
    hintLoss: 0,
    trace:
      tell === undefined
        ? () => undefined
        : (text) => tell(`${(agenda.nowMs / 1_000).toFixed(3).padStart(9)}  ${text()}`),
  };
}

export function between({ random }: World, lowMs: number, highMs: number): number {
  return lowMs + random() * (highMs - lowMs);
}

export function pick<T>({ random }: World, items: readonly T[]): T | undefined {
  return items[Math.floor(random() * items.length)];
}

export function latency(world: World): number {
  const chance = world.random();
  if (chance < 0.97 || !world.hasSpikes) return 1 + world.random() * 2 * world.slowness;
  return between(world, 20, chance < 0.995 ? 400 : 4_000);
}

export function isReached(machine: Machine, service: Service): boolean {
  return service === "api" ? machine.reachesApi : machine.reachesMessages;
}

type Call<T> = {
  world: World;
  from: Process;
  to: Service;
  isUp: () => boolean;
  deadlineMs: number;
  /** At the service, in one moment: a transaction. */
  handle: () => Reply<T>;
  done: (reply: Reply<T>) => void;
};

/** A request that may be lost, late, or done without its answer arriving. */
export function call<T>({ world, from, to, isUp, deadlineMs, handle, done }: Call<T>): void {
  let isOver = false;
  const finish = (reply: Reply<T>): void => {
    if (isOver) return;
    isOver = true;
    cancel();
    done(reply);
  };
  const cancel = from.after(deadlineMs, () => finish({ ok: false, why: "lost" }));
  const passes = (): boolean => isReached(from.machine, to);
  if (!passes() && world.random() < 0.3) return void from.after(2, () => finish({ ok: false, why: "lost" }));
  world.agenda.after(latency(world), () => {
    if (!passes()) return;
    if (!isUp()) return void from.after(latency(world), () => finish({ ok: false, why: "lost" }));
    const reply = handle();
    world.agenda.after(latency(world), () => {
      if (passes()) from.after(0, () => finish(reply));
    });
  });
}
