// npm run bench: starts the whole system as processes and measures it. Prints a table and writes JSON.
// Never part of a test: the machines are noisy, figures are read by people.
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { acceptAt, idle, throughput } from "./scenarios.ts";
import { report } from "./report.ts";

const help = `npm run bench -- [options]

Measures the whole system (embedded Postgres, NATS, simulator, all services, two numbers) on this machine.

  --rate N       messages a second of the steady part          (default 50)
  --seconds N    length of the steady part, in seconds         (default 20)
  --burst N      messages of the throughput part               (default 6000)
  --json FILE    where the figures go                          (default .heliograph/bench.json)
  --help         this text
`;

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "50" },
    seconds: { type: "string", default: "20" },
    burst: { type: "string", default: "6000" },
    json: { type: "string", default: ".heliograph/bench.json" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  process.stdout.write(help);
} else {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const figures = {
    at: new Date().toISOString(),
    machine: { cores: cpus().length, model: cpus()[0]?.model ?? "", memoryGiB: Math.round(totalmem() / 2 ** 30) },
    node: process.version,
    idle: await idle(say),
    steady: await acceptAt(Number(values.rate), Number(values.seconds), say),
    burst: await throughput(Number(values.burst), say),
  };
  await mkdir(dirname(values.json), { recursive: true });
  await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  process.stdout.write(`${report(figures)}\n\nwritten to ${values.json}\n`);
}
