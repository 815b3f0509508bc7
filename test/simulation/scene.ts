// Everything that takes part in a schedule, and how a fault finds whom it strikes.
import type { ApiServer } from "./api-server.ts";
import type { Node } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import type { Messages } from "./messages.ts";
import type { Operator } from "./operator.ts";
import type { Machine } from "./time.ts";
import { pick, type World } from "./world.ts";

export type Scene = {
  world: World;
  api: ApiServer;
  messages: Messages;
  nodes: readonly Node[];
  operators: readonly Operator[];
  operatorMachines: readonly Machine[];
  numbers: readonly string[];
  /** Specs whose process never comes up. */
  badSpecs: Set<string>;
  /** The newest one. */
  specHash: string;
  specs: number;
};

function connectionsOf(scene: Scene): Connection[] {
  return scene.nodes.flatMap((node) => [...node.connections()]);
}

/** Mostly one that sends. */
export function anyConnection(scene: Scene): Connection | undefined {
  const all = connectionsOf(scene);
  const held = all.filter(({ state }) => state.tag === "held");
  return pick(scene.world, held.length > 0 && scene.world.random() < 0.8 ? held : all);
}

export function nodeOf(scene: Scene, { machine }: Connection): Node | undefined {
  return scene.nodes.find((node) => node.machine === machine);
}

/** Mostly one with a process that sends. */
export function anyNode(scene: Scene): Node | undefined {
  const connection = anyConnection(scene);
  const busy = connection && nodeOf(scene, connection);
  return scene.world.random() < 0.8 && busy !== undefined ? busy : pick(scene.world, scene.nodes);
}

export function leaderOf({ operators }: Scene): Operator | undefined {
  return operators.find(({ leads }) => leads);
}
