// Meta's app secrets: one file each in a mounted folder, several while they rotate.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, readSecretFile } from "#lib/config.ts";
import type { Log } from "#lib/log.ts";

export type AppSecrets = {
  /** What the folder holds, read at most a second ago; what it held before if it cannot be read now. */
  current(): readonly string[];
};

const freshMs = 1_000;

/** Throws ConfigError if there is no secret at first. */
export function openAppSecrets(directory: string, log: Log): AppSecrets {
  let secrets = readSecrets(directory);
  let readAt = performance.now();
  return {
    current() {
      if (performance.now() - readAt < freshMs) return secrets;
      readAt = performance.now();
      try {
        secrets = readSecrets(directory);
      } catch (error) {
        log.warn({ err: error }, "app secrets cannot be read, the last ones stay");
      }
      return secrets;
    },
  };
}

function readSecrets(directory: string): readonly string[] {
  const names = listFiles(directory);
  if (names.length === 0) throw new ConfigError([`folder ${directory} holds no app secret`]);
  return names.map((name) => readSecretFile(join(directory, name)));
}

/** Names with a leading dot are how Kubernetes swaps the files of a mounted secret. */
function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith(".") && statSync(join(directory, name)).isFile());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError([`folder of app secrets ${directory} cannot be read: ${why}`]);
  }
}
