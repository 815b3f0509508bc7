// Nodes and their kubelets, and how the control plane watches over each.
import type { ApiEvent, ApiServer, PodStatus } from "./api-server.ts";
import { Connection } from "./connection.ts";
import type { Messages } from "./messages.ts";
import { Machine, Process } from "./time.ts";
import { between, call, type World } from "./world.ts";

type LocalPod = {
  uid: string;
  name: string;
  number: string;
  epoch: number;
  specHash: string;
  connection: Connection | undefined;
  boots: number;
  isTerminating: boolean;
  /** The kubelet will start nothing in it again. */
  isOver: boolean;
  isTelling: boolean;
  /** A container has ended and the next one has not been started. */
  isBetween: boolean;
};

const graceMs = 45_000;
const pollMs = 2_000;
const restartLimitMs = 300_000;
const unreachableAfterMs = 40_000;
const stuckMs = 35_000;

export class Node {
  readonly machine: Machine;
  readonly #world: World;
  readonly #api: ApiServer;
  readonly #messages: Messages;
  readonly #badSpecs: ReadonlySet<string>;
  readonly pods = new Map<string, LocalPod>();
  kubelet: Process;
  isPowered = true;
  isKubeletUp = true;
  /** It never comes back. */
  isLostForGood = false;

  constructor(world: World, api: ApiServer, messages: Messages, name: string, badSpecs: ReadonlySet<string>) {
    this.#world = world;
    this.#api = api;
    this.#messages = messages;
    this.#badSpecs = badSpecs;
    this.machine = new Machine(name, world.agenda, between(world, -2_000, 2_000));
    this.kubelet = new Process(this.machine, world.agenda);
    api.putNode(name);
    api.watchers.push((event) => this.#watched(event));
    this.#poll();
  }

  get name(): string {
    return this.machine.name;
  }

  get isHeard(): boolean {
    return this.isPowered && this.isKubeletUp && this.machine.reachesApi && this.#api.isUp && !this.machine.isPaused;
  }

  *connections(): Generator<Connection> {
    for (const { connection } of this.pods.values()) if (connection?.process.isAlive === true) yield connection;
  }

  powerOff(): void {
    this.isPowered = false;
    for (const connection of this.connections()) connection.process.kill();
    this.kubelet.kill();
    this.watchHealth();
  }

  powerOn(): void {
    if (this.isPowered) return;
    this.isPowered = true;
    this.kubelet = new Process(this.machine, this.#world.agenda);
    for (const pod of this.pods.values()) {
      pod.connection = undefined;
      pod.isTelling = false;
      if (pod.isTerminating) this.#over(pod);
      else if (!pod.isOver) this.#startIn(pod, between(this.#world, 1_000, 5_000));
    }
    this.#poll();
  }

  stopKubelet(): void {
    this.isKubeletUp = false;
    this.watchHealth();
  }

  startKubelet(): void {
    this.isKubeletUp = true;
  }

  /** The node's controller looks whether it was heard of. */
  watchHealth(): void {
    let sinceMs: number | undefined;
    const look = (): void => {
      const { nowMs } = this.#world.agenda;
      if (this.isHeard) {
        if (this.#api.nodes.get(this.name)?.isUnreachable === true)
          this.#api.putNode(this.name, { isUnreachable: false });
        return;
      }
      sinceMs ??= nowMs;
      const isKnownLost = this.#api.nodes.get(this.name)?.isUnreachable !== false;
      if (!isKnownLost && nowMs - sinceMs >= unreachableAfterMs) this.#api.putNode(this.name, { isUnreachable: true });
      if (!this.isLostForGood || !isKnownLost) this.#world.agenda.after(2_500, look);
    };
    this.#world.agenda.after(0, look);
  }

  restart(connection: Connection): void {
    const pod = this.pods.get(connection.podUid);
    if (pod?.connection !== connection || !connection.process.isAlive) return;
    connection.process.kill();
    this.#exited(pod, 137);
  }

  freeze(connection: Connection, forMs: number): void {
    connection.process.freeze(forMs);
    // What its liveness probe does with a process that does not answer.
    this.kubelet.after(stuckMs, () => {
      if (this.isKubeletUp && connection.process.isFrozen) this.restart(connection);
    });
  }

  #watched(event: ApiEvent): void {
    if (event.kind !== "pod") return;
    const isOurs =
      event.object === undefined ? this.#localByName(event.name) : event.object.view.nodeName === this.name;
    if (isOurs !== undefined && isOurs !== false) this.kubelet.after(between(this.#world, 5, 250), () => this.#sync());
  }

  #localByName(name: string): LocalPod | undefined {
    for (const pod of this.pods.values()) if (pod.name === name) return pod;
    return undefined;
  }

  #poll(): void {
    this.kubelet.after(between(this.#world, 0.9, 1.1) * pollMs, () => {
      this.#sync();
      this.#poll();
    });
  }

  #sync(): void {
    if (!this.isHeard || !this.kubelet.runs) return;
    if (!this.#api.nodes.has(this.name)) this.#api.putNode(this.name);
    for (const { view } of this.#api.pods.values()) {
      const { uid, name } = view.metadata;
      if (view.nodeName !== this.name || this.pods.has(uid)) continue;
      const number = view.number.slice("default/".length);
      const pod: LocalPod = {
        uid,
        name,
        number,
        epoch: view.epoch,
        specHash: view.specHash,
        connection: undefined,
        boots: 0,
        isTerminating: false,
        isOver: false,
        isTelling: false,
        isBetween: false,
      };
      this.pods.set(uid, pod);
      if (!this.#badSpecs.has(view.specHash)) this.#startIn(pod, between(this.#world, 300, 3_000));
    }
    for (const pod of this.pods.values()) {
      const live = this.#api.pods.get(pod.name);
      const isGone = live?.view.metadata.uid !== pod.uid;
      if ((isGone || live.view.isDeleting) && !pod.isTerminating) this.#terminate(pod);
      else if (isGone && pod.isOver) this.pods.delete(pod.uid);
      else if (!isGone && !isSameStatus(live.status, this.#statusOf(pod)) && !live.isByGc) this.#tellSoon(pod);
      else if (!isGone && pod.isTerminating && pod.isOver) this.#finalDelete(pod);
    }
  }

  #startIn(pod: LocalPod, delayMs: number): void {
    this.kubelet.after(delayMs, () => {
      if (!this.isKubeletUp) return this.#startIn(pod, pollMs);
      if (pod.isTerminating || pod.isOver) return;
      pod.boots += 1;
      pod.isBetween = false;
      const { uid: podUid, number, epoch } = pod;
      const connection: Connection = new Connection({
        world: this.#world,
        machine: this.machine,
        messages: this.#messages,
        number,
        podUid,
        epoch,
        bootId: `b${pod.boots}`,
        onExit: (exitCode) => this.kubelet.after(5, () => this.#exited(pod, exitCode)),
        onChange: () => this.kubelet.after(between(this.#world, 0, 5e3), () => this.#tellSoon(pod)),
      });
      pod.connection = connection;
      this.#world.trace(() => `${this.name}: ${connection.name} started`);
      this.#world.judges.started(connection);
      this.#tellSoon(pod);
    });
  }

  #exited(pod: LocalPod, exitCode: number): void {
    if (pod.isTerminating || pod.isOver) return;
    this.#world.trace(() => `${this.name}: ${pod.connection?.name ?? pod.uid} ended with ${exitCode}`);
    pod.isBetween = true;
    const delayMs =
      pod.boots <= 1 ? between(this.#world, 200, 1_500) : Math.min(restartLimitMs, 10_000 * 2 ** (pod.boots - 2));
    this.#tellSoon(pod);
    this.#startIn(pod, delayMs);
  }

  #terminate(pod: LocalPod): void {
    pod.isTerminating = true;
    const { connection } = pod;
    if (connection === undefined || !connection.process.isAlive) return this.#over(pod);
    connection.terminate();
    const startedAtMs = this.#world.agenda.nowMs;
    const look = (): void => {
      const isLate = this.#world.agenda.nowMs - startedAtMs >= graceMs;
      if (isLate) connection.process.kill();
      if (connection.process.isAlive) this.kubelet.after(200, look);
      else this.#over(pod);
    };
    this.kubelet.after(200, look);
  }

  #over(pod: LocalPod): void {
    pod.isOver = true;
    this.#world.trace(() => `${this.name}: pod ${pod.uid} is over`);
    this.#tellSoon(pod);
  }

  #statusOf(pod: LocalPod): PodStatus {
    const { connection, isOver, boots, isBetween } = pod;
    const hasRun = boots > 1 || (boots === 1 && isBetween);
    if (isOver) return { phase: "Succeeded", container: boots > 0 ? "terminated" : "none", hasRun, isReady: false };
    if (boots === 0) return { phase: "Pending", container: "waiting", hasRun: false, isReady: false };
    if (isBetween) return { phase: "Running", container: boots > 1 ? "waiting" : "terminated", hasRun, isReady: false };
    return { phase: "Running", container: "running", hasRun, isReady: connection?.state.tag === "held" };
  }

  #tellSoon(pod: LocalPod): void {
    if (pod.isTelling) return;
    pod.isTelling = true;
    const delayMs = this.#world.random() < 0.8 ? between(this.#world, 20, 400) : between(this.#world, 400, 8_000);
    this.kubelet.after(delayMs, () => {
      const status = this.#statusOf(pod);
      this.#call(
        () => {
          const live = this.#api.pods.get(pod.name);
          if (live?.isByGc !== true) this.#api.changePod(pod.uid, { status });
        },
        () => {
          pod.isTelling = false;
          if (pod.isTerminating && pod.isOver && status.phase === "Succeeded") this.#finalDelete(pod);
        },
      );
    });
  }

  #finalDelete(pod: LocalPod): void {
    if (pod.isTelling) return;
    pod.isTelling = true;
    this.#call(
      () => void this.#api.deletePod(pod.uid, true),
      () => {
        pod.isTelling = false;
        if (this.#api.pods.get(pod.name)?.view.metadata.uid !== pod.uid) this.pods.delete(pod.uid);
      },
    );
  }

  #call(handle: () => void, done: () => void): void {
    const isUp = (): boolean => this.#api.isUp && this.isKubeletUp;
    const from = this.kubelet;
    const transaction = () => {
      handle();
      return { ok: true, value: true } as const;
    };
    call({ world: this.#world, from, to: "api", isUp, deadlineMs: 10_000, handle: transaction, done });
  }
}

function isSameStatus(a: PodStatus, b: PodStatus): boolean {
  return a.phase === b.phase && a.container === b.container && a.isReady === b.isReady && a.hasRun === b.hasRun;
}
