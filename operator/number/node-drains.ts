// Since when nodes are being emptied, by our own clock.
import type { Clock } from "../runtime/clock.ts";
import type { Watches } from "../watches.ts";

export type NodeDrains = { isOver(nodeName: string | undefined, patienceMs: number): boolean };

export function followDrains(nodes: Watches["nodes"], clock: Clock): NodeDrains {
  const since = new Map<string, number>();
  nodes.follow(({ type, object }) => {
    const { name } = object.metadata;
    if (type === "deleted" || !object.isDraining) since.delete(name);
    else if (!since.has(name)) since.set(name, clock.monotonicMs());
  });
  return {
    isOver(nodeName, patienceMs) {
      const sinceMs = nodeName === undefined ? undefined : since.get(nodeName);
      return sinceMs !== undefined && clock.monotonicMs() - sinceMs >= patienceMs;
    },
  };
}
