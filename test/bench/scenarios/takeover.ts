// How long a number does not send when its connection process dies, and when another one takes over as planned; with the lease
// times of production.
import { middleAndTail } from "../format.ts";
import type { Context, Result, Scenario } from "../scenario.ts";
import { percentiles } from "../statistics.ts";
import { type Crash, measureCrashes } from "./takeover-crash.ts";
import { type Move, measureMoves } from "./takeover-move.ts";

export const takeover: Scenario = {
  name: "takeover",
  about: "how long a number is silent after kill -9 of its process, and at a planned move",
  isLong: true,
  options: {
    kills: { usual: [20], help: "kill -9 of the connection process" },
    moves: { usual: [20], help: "second processes with --take-over" },
    rate: { usual: [50], help: "messages a second meanwhile" },
  },
  run: runTakeover,
};

async function runTakeover(context: Context): Promise<Result> {
  const [kills, moves] = [context.one("kills"), context.one("moves")];
  const crashes = kills > 0 ? await measureCrashes(context, kills) : undefined;
  const moved = moves > 0 ? await measureMoves(context, moves) : undefined;
  return {
    figures: { ...(crashes !== undefined && { crashes }), ...(moved !== undefined && { moves: moved }) },
    rows: [
      ...(crashes === undefined ? [] : crashRows(crashes.rounds, crashes.lost)),
      ...(moved === undefined ? [] : moveRows(moved.rounds, moved.lost)),
    ],
    details: [],
  };
}

function crashRows(rounds: readonly Crash[], lost: string): Result["rows"] {
  const of = (read: (crash: Crash) => number): string => middleAndTail(percentiles(rounds.map(read)));
  return [
    {
      what: `kill -9 → WhatsApp takes the next, ${rounds.length} kills, p50 / p95`,
      seen: of(({ ms }) => ms),
      target: "p95 ≤ 5 s",
    },
    {
      what: "of that, the runner's pause before it starts the process again",
      seen: of(({ pauseMs }) => pauseMs),
      target: "",
    },
    { what: "of that, process start until the lease is granted", seen: of(({ startMs }) => startMs), target: "" },
    { what: "of that, lease granted → first message", seen: of(({ firstMs }) => firstMs), target: "" },
    { what: "messages meanwhile", seen: lost, target: "" },
  ];
}

function moveRows(rounds: readonly Move[], lost: string): Result["rows"] {
  const of = (read: (move: Move) => number): string => middleAndTail(percentiles(rounds.map(read)));
  return [
    {
      what: `gap when another takes over, ${rounds.length} moves, p50 / p95`,
      seen: of(({ gapMs }) => gapMs),
      target: "p95 ≤ 2 s",
    },
    {
      what: "gap when the holder stops and a standby waits, p50 / p95",
      seen: of(({ backMs }) => backMs),
      target: "p95 ≤ 2 s",
    },
    { what: "messages meanwhile", seen: lost, target: "" },
  ];
}
