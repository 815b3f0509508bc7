// Stands in for services/lib/clock.ts in the image, where the wall clock is the machine's and follows no file.
export const wallMs: () => number = Date.now;

export function now(): Date {
  return new Date();
}
