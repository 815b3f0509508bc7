// Chance that can be repeated: the same seed gives the same numbers (mulberry32).

/** Gives the next number from 0 up to, but not including, 1. */
export type Random = () => number;

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A stream for each purpose, so that what happens to webhooks does not change what happens to requests. */
export type Chance = {
  readonly requests: Random;
  readonly news: Random;
  readonly phones: Random;
  /** Every stream begins again. */
  restart(): void;
};

export function createChance(seed: number): Chance {
  const streams = () => [createRandom(seed), createRandom(seed + 1), createRandom(seed + 2)] as const;
  let [requests, news, phones] = streams();
  return {
    requests: () => requests(),
    news: () => news(),
    phones: () => phones(),
    restart() {
      [requests, news, phones] = streams();
    },
  };
}
