// A gauge whose values are looked up when metrics are read, from whoever is there then. Of several with one label the highest counts.
import { Gauge, type Registry } from "prom-client";

export type FollowedGauge = {
  /** The function it gives ends it. */
  follow(label: string, read: () => number): () => void;
};

type GaugeOptions = { name: string; help: string; labelName: string; registers: Registry[] };

export function createFollowedGauge({ name, help, labelName, registers }: GaugeOptions): FollowedGauge {
  const followed = new Set<{ label: string; read: () => number }>();
  const gauge = new Gauge({
    name,
    help,
    labelNames: [labelName],
    registers,
    collect() {
      const highest = new Map<string, number>();
      for (const { label, read } of followed) highest.set(label, Math.max(read(), highest.get(label) ?? -Infinity));
      gauge.reset();
      for (const [label, value] of highest) gauge.set({ [labelName]: label }, value);
    },
  });
  return {
    follow(label, read) {
      const one = { label, read };
      followed.add(one);
      return () => void followed.delete(one);
    },
  };
}
