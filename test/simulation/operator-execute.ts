// What a replica of the operator does with a plan: what execute.ts does, call by call, so that it may die between any two.
import { toMark } from "#operator/number/given-up.ts";
import type { PodAction, PodsPlan } from "#operator/number/pods.ts";
import type { ApiServer, NumberObject } from "./api-server.ts";
import type { Messages } from "./messages.ts";
import type { NumberFacts } from "./operator-observe.ts";
import type { Process } from "./time.ts";
import { between, call, type Reply, type Service, type World } from "./world.ts";

const toldMs = 2_000;

export type Outcome = "done" | "retry" | number;

type Step = {
  number: NumberObject;
  facts: NumberFacts;
  plan: PodsPlan;
  actions: PodAction[];
  done: (outcome: Outcome) => void;
};

type Options = {
  world: World;
  name: string;
  api: ApiServer;
  messages: Messages;
  /** Of the present life. */
  process: () => Process;
  leads: () => boolean;
  die: () => void;
  start: () => void;
};

export class Executor {
  readonly #options: Options;
  /** Dies after so many more steps. */
  diesAfterSteps = Number.POSITIVE_INFINITY;
  /** The next status is on its way for that long, and its answer is lost. */
  lateWriteMs: number | undefined;
  /** Versions of its last writes, by `kind name`. */
  written = new Map<string, number>();

  constructor(options: Options) {
    this.#options = options;
  }

  /** Another life begins. */
  forget(): void {
    this.diesAfterSteps = Number.POSITIVE_INFINITY;
    this.written = new Map();
  }

  execute(step: Step): void {
    const { number, facts, plan, actions, done } = step;
    const { api, messages } = this.#options;
    const action = actions.shift();
    if (action === undefined && number.isDeleting && facts.pods.length === 0) return this.#letGo(number, done);
    if (action === undefined) return this.#saveStatus(step);
    const next = (reply: Reply<unknown>): void => {
      if (!reply.ok) return done("retry");
      this.execute(step);
    };
    switch (action.kind) {
      case "refresh":
        return done("retry");
      case "create":
        return this.#create(number, facts.specHash, action, next);
      case "giveUp":
        return this.#lookLive(number, (live) => {
          if (!live.ok) return done("retry");
          this.#call("api", () => api.markPod(action.uid, toMark(action.gaveUp)), next);
        });
      case "revoke":
        return this.#lookLive(number, (live) => {
          if (!live.ok) return done("retry");
          this.#call("messages", () => messages.end(number.name, Number(action.term), "revoked"), next);
        });
      case "delete":
        return this.#lookLive(number, (live) => {
          if (!live.ok) return done("retry");
          this.#call("api", () => ({ ok: true, value: api.deletePod(action.uid, false) }), next);
        });
      case "advance":
        return this.#advance(number, facts.specHash, action, (reply) => {
          if (!reply.ok) return done("retry");
          done(plan.lookAgainMs ?? toldMs);
        });
    }
  }

  #advance(
    number: NumberObject,
    specHash: string,
    action: Extract<PodAction, { kind: "advance" }>,
    next: (reply: Reply<unknown>) => void,
  ): void {
    const { api, world } = this.#options;
    this.#lookLive(number, (live) => {
      if (!live.ok) return next(live);
      const status = { epoch: action.to, podUid: undefined };
      const version = world.rules.swapsEpoch ? live.value.version : undefined;
      this.#writeStatus(
        () => api.writeStatus(number.name, number.uid, status, version),
        (written) => {
          if (!written.ok) return next(written);
          this.written.set(`number ${number.name}`, written.value.version);
          world.judges.advanced(number.name, action.from, action.to, action.why);
          this.#create(number, specHash, { epoch: action.to, avoidNodes: action.avoidNodes }, next);
        },
      );
    });
  }

  #create(
    number: NumberObject,
    specHash: string,
    { epoch, avoidNodes }: { epoch: number; avoidNodes: readonly string[] },
    next: (reply: Reply<unknown>) => void,
  ): void {
    const { api } = this.#options;
    this.#call(
      "api",
      () => api.createPod(number, epoch, specHash, avoidNodes),
      (made) => {
        if (made.ok) this.written.set(`pod ${number.name}`, made.value.version);
        next(made.ok || made.why === "conflict" ? { ok: true, value: made } : made);
      },
    );
  }

  #saveStatus({ number, facts, plan, done }: Step): void {
    const { api, world } = this.#options;
    const finish = (): void => done(plan.lookAgainMs ?? "done");
    const pod = facts.pods.find(({ epoch }) => epoch === number.status.epoch);
    if (pod === undefined || pod.uid === number.status.podUid) return finish();
    const status = { epoch: number.status.epoch, podUid: pod.uid };
    const version = world.rules.swapsEpoch ? number.version : undefined;
    this.#writeStatus(
      () => api.writeStatus(number.name, number.uid, status, version),
      (written) => {
        if (!written.ok) return done("retry");
        this.written.set(`number ${number.name}`, written.value.version);
        finish();
      },
    );
  }

  #writeStatus(write: () => Reply<NumberObject>, done: (reply: Reply<NumberObject>) => void): void {
    const { lateWriteMs } = this;
    const { world, process } = this.#options;
    this.lateWriteMs = undefined;
    if (lateWriteMs === undefined) return this.#call("api", write, done);
    world.agenda.after(lateWriteMs, () => void write());
    process().after(10_000, () => done({ ok: false, why: "lost" }));
  }

  /** The last finalizer goes, and the resource with it. */
  #letGo(number: NumberObject, done: (outcome: Outcome) => void): void {
    const { api } = this.#options;
    this.#call(
      "api",
      () => {
        if (api.numbers.get(number.name)?.uid === number.uid) api.removeNumber(number.name);
        return { ok: true, value: true };
      },
      (reply) => done(reply.ok ? "done" : "retry"),
    );
  }

  /** The resource must be the one that was decided on. */
  #lookLive(number: NumberObject, next: (reply: Reply<NumberObject>) => void): void {
    const { api, world } = this.#options;
    if (!world.rules.looksLive) return next({ ok: true, value: number });
    this.#call(
      "api",
      () => {
        const live = api.numbers.get(number.name);
        const isSame =
          live?.uid === number.uid &&
          live.isDeleting === number.isDeleting &&
          live.isWanted === number.isWanted &&
          live.specHash === number.specHash &&
          live.status.epoch === number.status.epoch;
        return isSame ? { ok: true, value: live } : { ok: false, why: "conflict" };
      },
      next,
    );
  }

  #call<T>(to: Service, handle: () => Reply<T>, done: (reply: Reply<T>) => void): void {
    const { world, name, api, messages, process, leads, die, start } = this.#options;
    this.diesAfterSteps -= 1;
    const isDying = this.diesAfterSteps <= 0;
    // A request on its way is not called back.
    const isUp = (): boolean => (to === "api" ? api.isUp : messages.isUp);
    if (!leads()) return done({ ok: false, why: "lost" });
    call({ world, from: process(), to, isUp, deadlineMs: 10_000, handle, done });
    if (!isDying) return;
    world.trace(() => `${name}: dies in the middle of its work`);
    die();
    world.agenda.after(between(world, 2_000, 15_000), start);
  }
}
