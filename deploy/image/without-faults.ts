// Stands in for services/lib/fault-points.ts in the image, where nothing breaks on purpose: esbuild cuts out what calls an empty
// function, and what stands behind a guard that is never off.
export function faultPoint(_name: string): void {}

export function isSwitchedOff(_guard: "fence" | "intent"): boolean {
  return false;
}
