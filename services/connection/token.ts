// The access token: a mounted file that may be replaced at any time. Looking costs a stat, at most one in a second.
import { statSync } from "node:fs";
import { readSecretFile } from "#lib/config.ts";
import type { Log } from "#lib/log.ts";

export type Token = {
  /** The content of the file as it is now; the last good one while it cannot be read. */
  current(): string;
};

const lookEveryMs = 1_000;

/** Throws ConfigError if the file cannot be read at the start. `nowMs` is monotonic. */
export function watchToken({ path, nowMs, log }: { path: string; nowMs: () => number; log: Log }): Token {
  let token = readSecretFile(path);
  let mark = markOf(path);
  let lookedAtMs = nowMs();

  function look(): void {
    try {
      const next = markOf(path);
      if (next === mark) return;
      token = readSecretFile(path);
      mark = next;
      log.info("access token was read again");
    } catch (error) {
      log.warn({ err: error, path }, "access token file cannot be read, the last one stays in use");
    }
  }

  return {
    current() {
      if (nowMs() - lookedAtMs >= lookEveryMs) {
        lookedAtMs = nowMs();
        look();
      }
      return token;
    },
  };
}

/** Changes with the file, also when a mounted secret's symbolic link is moved to another one. */
function markOf(path: string): string {
  const { ino, size, mtimeMs } = statSync(path);
  return `${ino}:${size}:${mtimeMs}`;
}
