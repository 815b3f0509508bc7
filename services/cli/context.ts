// What every command is given besides its own arguments.
import type { Tls } from "#lib/tls.ts";
import type { Places } from "./places.ts";

export type Context = {
  places: Places;
  tls: Tls;
  /** Output for scripts instead of people. */
  json: boolean;
  now: () => Date;
  /** Aborted by Ctrl-C, SIGTERM or SIGHUP, whose name is its reason. */
  signal: AbortSignal;
  /** A line, or several, to stdout: the answer. */
  out: (text: string) => void;
  /** To stderr: what is no part of the answer. */
  err: (text: string) => void;
};
