// All the processes of a run: who they are, and the order in which they end.
import type { Row } from "./output.ts";
import { memoryOf } from "./process-identity.ts";
import type { RunningProcess } from "./run-file.ts";
import { type Launch, supervise, type Supervised } from "./supervisor.ts";

/** Stopped in this order, all of a stage at once; together they stay below the 10 s that Ctrl-C may take. */
const stages = [
  { name: "connection", graceMs: 3_000 },
  { name: "gateway", graceMs: 1_000 },
  { name: "service", graceMs: 2_000 },
  { name: "outside", graceMs: 500 },
  { name: "store", graceMs: 2_000 },
] as const;

export type Stage = (typeof stages)[number]["name"];

type MemberOptions = {
  name: string;
  stage: Stage;
  /** As the table shows it. */
  address: string;
  http: string | null;
  grpc: string | null;
  launch: Launch;
};

type Member = MemberOptions & { supervised: Supervised };

export type Fleet = {
  /** Starts a program and keeps it running. Rejects if it does not start the first time. */
  add(member: MemberOptions): Promise<Supervised>;
  /** What runs now, for run.json. */
  processes(): RunningProcess[];
  rows(): Row[];
  stop(): Promise<void>;
  /** Ends everything by force, at once. */
  kill(): void;
};

/** `onChange` is called whenever a process began or ended; `say` gets a line for each unexpected end. */
export function createFleet({ onChange, say }: { onChange: () => void; say: (line: string) => void }): Fleet {
  const members: Member[] = [];
  let isEnding = false;
  return {
    async add(options) {
      if (isEnding) throw new Error(`${options.name} is not started any more: all is being stopped`);
      const { name, launch } = options;
      const supervised = supervise({ name, launch, onChange, say });
      members.push({ ...options, supervised });
      await supervised.start();
      return supervised;
    },
    processes: () =>
      members.flatMap(({ name, http, grpc, supervised }) => {
        const process = supervised.process();
        return process === undefined
          ? []
          : [{ name, http, grpc, ...process, startedAt: process.startedAt.toISOString() }];
      }),
    rows: () =>
      members.map(({ name, address, supervised }) => {
        const pid = supervised.process()?.pid;
        return { what: name, address, pid, memoryBytes: pid === undefined ? undefined : memoryOf(pid) };
      }),
    async stop() {
      isEnding = true;
      for (const { name, graceMs } of stages) {
        const stopping = members.filter(({ stage }) => stage === name);
        await Promise.all(stopping.map(({ supervised }) => supervised.stop(graceMs)));
      }
    },
    kill() {
      isEnding = true;
      for (const { supervised } of members) supervised.kill();
    },
  };
}
