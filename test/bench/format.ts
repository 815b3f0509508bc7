// Figures as people read them.
import type { Percentiles } from "./statistics.ts";

export function ms(value: number): string {
  return value >= 1_000 ? `${(value / 1_000).toFixed(2)} s` : `${value.toFixed(1)} ms`;
}

export function spread({ p50, p95, p99 }: Percentiles): string {
  return `${ms(p50)} / ${ms(p95)} / ${ms(p99)}`;
}

export function middleAndTail({ p50, p95 }: Percentiles): string {
  return `${ms(p50)} / ${ms(p95)}`;
}

export function perSecond(value: number): string {
  return `${value.toFixed(0)} msg/s`;
}

export function mib(value: number | undefined): string {
  return value === undefined ? "" : value.toFixed(0);
}
