// Where test/chaos breaks a process from within: it dies by SIGKILL at a named point, or runs without a guard. Both are off, and
// cost nothing, unless the environment of the process asks for them at its start; then it says so.
import { readFaults } from "./config.ts";

const { HELIOGRAPH_FAULT_POINT: armed, HELIOGRAPH_MUTATE: mutation } = readFaults();
const [armedName = "", armedPassage = ""] = armed?.split(":") ?? [];

if (armed !== undefined || mutation !== undefined) {
  const what = JSON.stringify({ level: "warn", msg: "broken on purpose", faultPoint: armed, mutation });
  process.stderr.write(`${what}\n`);
}

let left = Number(armedPassage);

/** Kills the process at the n-th passage of the armed point. */
export const faultPoint: (name: string) => void =
  armed === undefined
    ? () => undefined
    : (name) => {
        if (name === armedName && --left === 0) process.kill(process.pid, "SIGKILL");
      };

/** Whether this guard is switched off. */
export function isSwitchedOff(guard: "fence" | "intent"): boolean {
  return mutation === `no_${guard}`;
}
