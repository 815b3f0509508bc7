// How much may be in work at a time. Requests hold their body until they are answered, so bytes are counted too.
export type InFlight = {
  /** False when there is no room; then nothing is taken. */
  take(bytes: number): boolean;
  /** Gives back what one take of the same size took. */
  release(bytes: number): void;
  readonly requests: number;
};

export function createInFlight(limit: { requests: number; bytes: number }): InFlight {
  let requests = 0;
  let bytes = 0;
  return {
    take(size) {
      if (requests >= limit.requests || bytes + size > limit.bytes) return false;
      requests += 1;
      bytes += size;
      return true;
    },
    release(size) {
      requests -= 1;
      bytes -= size;
    },
    get requests() {
      return requests;
    },
  };
}
