// The wall clock of this process. test/chaos lets it jump while the process runs: by a file that holds an offset in ms and is read
// again when it changes. Off, and free, unless the environment of the process names that file at its start; then it says so.
import { readFileSync, watchFile } from "node:fs";
import { readFaults } from "./config.ts";

const { HELIOGRAPH_CLOCK_OFFSET_FILE: path } = readFaults();
const lookEveryMs = 100;

/** As Date.now(). */
export const wallMs: () => number = path === undefined ? Date.now : followOffset(path);

/** What every start function takes as its time. */
export function now(): Date {
  return new Date(wallMs());
}

function followOffset(file: string): () => number {
  process.stderr.write(`${JSON.stringify({ level: "warn", msg: "the wall clock follows a file", file })}\n`);
  let offsetMs = readOffset(file);
  watchFile(file, { interval: lookEveryMs, persistent: false }, () => {
    offsetMs = readOffset(file);
  });
  return () => Date.now() + offsetMs;
}

function readOffset(file: string): number {
  const text = readFileSync(file, "utf8").trim();
  if (!/^-?\d{1,12}$/.test(text)) throw new Error(`${file} holds no offset of the clock in ms`);
  return Number(text);
}
