// A lock between processes: a file that holds its holder's pid.
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { sleep } from "#lib/lifecycle.ts";
import { isAlive } from "./folder.ts";

const pollMs = 200;

/** Waits for the lock. The file appears whole or not at all; that of a dead process is taken over. */
export async function lockFile(path: string): Promise<AsyncDisposable> {
  const own = `${path}.${process.pid}`;
  await writeFile(own, String(process.pid));
  try {
    while (!(await isDone(link(own, path)))) {
      const holder = Number(await readFile(path, "utf8").catch(() => process.pid));
      if (isAlive(holder)) await sleep(pollMs);
      else await rm(path, { force: true });
    }
  } finally {
    await rm(own, { force: true });
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

function isDone(step: Promise<void>): Promise<boolean> {
  return step.then(
    () => true,
    () => false,
  );
}
