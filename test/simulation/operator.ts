// A replica of the operator: the real rules, queue and counts of moves, over caches that lag and calls that may be lost.
import { Registry } from "prom-client";
import { type ClassRules, createFleet, type Fleet } from "#operator/number/fleet.ts";
import { standingAfter, standingOf } from "#operator/number/standing.ts";
import { createWaiters, type Waiters } from "#operator/number/waiters.ts";
import { createRuntimeMetrics } from "#operator/runtime/metrics.ts";
import { createQueue, type WorkQueue } from "#operator/runtime/queue.ts";
import type { ApiServer } from "./api-server.ts";
import type { Messages } from "./messages.ts";
import { Executor, type Outcome } from "./operator-execute.ts";
import { observe } from "./operator-observe.ts";
import { RegisterStream } from "./operator-register.ts";
import { createDelivery, Watches } from "./operator-watches.ts";
import { type Machine, Process } from "./time.ts";
import { between, type Service, type World } from "./world.ts";

const metrics = createRuntimeMetrics(new Registry());
const workers = 2;
const behindMs = 100;
const className = "standard";

export type OperatorOptions = {
  world: World;
  name: string;
  machine: Machine;
  api: ApiServer;
  messages: Messages;
  classRules: ClassRules;
};

export class Operator {
  readonly #options: OperatorOptions;
  process: Process;
  readonly watches: Watches;
  readonly register: RegisterStream;
  readonly executor: Executor;
  /** Rightly or wrongly. */
  leads = false;
  #fleet: Fleet;
  #queue: WorkQueue;
  #waiters: Waiters;
  #busy = 0;
  lives = 0;

  constructor(options: OperatorOptions) {
    this.#options = options;
    const { world, name, machine, api, messages } = options;
    this.process = new Process(machine, world.agenda);
    this.#fleet = createFleet(() => 0);
    this.#queue = this.#newQueue();
    this.#waiters = this.#newWaiters();
    const process = (): Process => this.process;
    const deliver = createDelivery(world, process);
    const add: WorkQueue["add"] = (key, how) => this.#queue.add(key, how);
    const isHeard = (service: Service) => () => this.#hears(service);
    const onSynced = (): void => this.lead(this.leads);
    this.watches = new Watches({ world, api, process, deliver, isHeard: isHeard("api"), add, onSynced });
    const onAll = (): void => this.#addAll();
    const of = { world, messages, process, deliver, isHeard: isHeard("messages") };
    this.register = new RegisterStream({ ...of, onNews: (number) => add(number), onAll });
    const leads = (): boolean => this.leads;
    const die = (): void => this.die();
    this.executor = new Executor({ world, name, api, messages, process, leads, die, start: () => this.start() });
    this.start();
  }

  get name(): string {
    return this.#options.name;
  }

  start(): void {
    const { world, machine } = this.#options;
    this.process.kill();
    this.#queue.close();
    this.process = new Process(machine, world.agenda);
    this.lives += 1;
    this.watches.forget();
    this.register.forget();
    this.executor.forget();
    this.#busy = 0;
    this.#fleet = createFleet(() => machine.monotonicMs());
    this.#queue = this.#newQueue();
    this.#waiters = this.#newWaiters();
    this.watches.list();
    this.register.follow();
  }

  die(): void {
    this.process.kill();
    this.#queue.close();
  }

  lead(leads: boolean): void {
    this.leads = leads;
    this.process.after(0, () => {
      this.#countAll();
      this.#addAll();
      this.#work();
    });
  }

  #newQueue(): WorkQueue {
    const { world, name } = this.#options;
    const { process } = this;
    const clock = {
      monotonicMs: () => process.machine.monotonicMs(),
      wallMs: () => process.machine.wallMs(),
      after: (delayMs: number, run: () => void) => process.after(delayMs, run),
    };
    const queue = createQueue({ name, clock, random: world.random, metrics });
    queue.onReady(() => process.after(0, () => this.#work()));
    return queue;
  }

  #newWaiters(): Waiters {
    const queue = this.#queue;
    return createWaiters(this.#fleet, (key) => queue.add(key));
  }

  #hears(service: Service): boolean {
    const { machine, api, messages } = this.#options;
    if (service === "api") return machine.reachesApi && api.isUp;
    return machine.reachesMessages && messages.isUp;
  }

  /** Before the first decision, as controller.ts does. */
  #countAll(): void {
    const { machine } = this.process;
    const sources = { machine, watches: this.watches, register: this.register };
    for (const number of this.watches.numbers.values())
      this.#fleet.note(number.name, standingOf({ ...observe(number, sources), className }));
  }

  #addAll(): void {
    for (const name of this.watches.numbers.keys()) this.#queue.add(name);
  }

  #work(): void {
    while (this.leads && this.watches.isSynced && this.#busy < workers) {
      const work = this.#queue.take();
      if (work === undefined) return;
      this.#busy += 1;
      const { process } = this;
      const queue = this.#queue;
      // Between looking and doing there is always some time.
      process.after(between(this.#options.world, 0.1, 5), () =>
        this.#reconcile(work.key, (outcome) => {
          if (this.process !== process) return;
          queue.done(work.key);
          if (outcome === "retry") queue.retry(work.key);
          else queue.forget(work.key);
          if (typeof outcome === "number") queue.add(work.key, { afterMs: outcome });
          this.#busy -= 1;
          this.#work();
        }),
      );
    }
  }

  #reconcile(name: string, done: (outcome: Outcome) => void): void {
    const { world, classRules } = this.#options;
    const number = this.watches.numbers.get(name);
    if (number === undefined) {
      this.#fleet.note(name, undefined);
      this.#waiters.leave(name);
      return done("done");
    }
    if (this.#isBehind(name)) return done(behindMs);
    const { machine } = this.process;
    const facts = observe(number, { machine, watches: this.watches, register: this.register });
    const key = number.name;
    const before = standingOf({ ...facts, className });
    this.#fleet.note(key, before);
    const turns = this.#fleet.turns(className, classRules);
    const pods = world.rules.planPods({ ...facts, ...turns });
    const advance = pods.actions.find((action) => action.kind === "advance");
    if (advance !== undefined && before !== undefined) this.#fleet.note(key, standingAfter(before, advance.why));
    const planned = { ...pods, status: {} };
    const isAdvancing = advance !== undefined;
    const { lookAgainMs } = this.#waiters.attend(key, className, classRules, planned, isAdvancing);
    const plan = { ...pods, lookAgainMs };
    if (plan.actions.length > 0) {
      const told = plan.actions
        .map((action) => ("why" in action ? `${action.kind} ${action.why}` : action.kind))
        .join(", ");
      world.trace(() => `${this.name}: ${name} epoch ${number.status.epoch}: ${told}`);
    }
    this.executor.execute({ number, facts, plan, done, actions: [...plan.actions] });
  }

  #isBehind(name: string): boolean {
    const { written } = this.executor;
    const { seenVersion } = this.watches;
    const numberVersion = written.get(`number ${name}`) ?? 0;
    const podVersion = written.get(`pod ${name}`) ?? 0;
    return seenVersion.number < numberVersion || seenVersion.pod < podVersion;
  }
}
