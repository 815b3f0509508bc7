// Kubernetes' MicroTime: six digits after the second. The three that Date writes are refused.

export function toMicroTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace("Z", "000Z");
}
