// What a scenario is: a system started for it, a load, and figures. Each starts its own, so that none carries another's warm caches.

/** One option of the command line; its value is a number, or several with commas between. */
export type Option = { usual: readonly number[]; help: string };

export type Context = {
  /** Progress, one line. */
  say: (text: string) => void;
  /** What is on it is ended when the scenario ends, and when the bench is interrupted. */
  stack: AsyncDisposableStack;
  /** The values of an option: those given, else the usual ones. */
  all: (option: string) => readonly number[];
  /** The first of them. */
  one: (option: string) => number;
};

/** `target` is the design's; empty: there is none. Whether it is met is for the reader to see. */
export type Row = { what: string; seen: string; target: string };

export type Detail = { title: string; rows: readonly (readonly string[])[] };

/** `figures` is what goes into the JSON. */
export type Result = { figures: object; rows: readonly Row[]; details: readonly Detail[] };

export type Scenario = {
  name: string;
  about: string;
  /** Takes ten minutes or more: only when asked for by name. */
  isLong: boolean;
  options: Readonly<Record<string, Option>>;
  run(context: Context): Promise<Result>;
};
