// The options of `npm start`.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { defaultPortBase, type MainPart, mainParts, type PortChoice } from "./ports.ts";

export type Options = {
  ports: PortChoice;
  host: string;
  /** Absolute. */
  dataFolder: string;
  /** Absolute. */
  numbersFolder: string;
  /** Where deliveries go instead of the receiver of our own. */
  webhookUrl: string | undefined;
  isFresh: boolean;
  isQuiet: boolean;
};

/** What is wrong with the command line, in one line. */
export class ArgumentError extends Error {
  override readonly name = "ArgumentError";
}

const defaultDataFolder = ".heliograph";
const defaultNumbersFolder = "deploy/samples";

export const help = `npm start -- [options]

Runs all of Heliograph on this machine, each part as a process of its own: PostgreSQL, NATS, a simulator of WhatsApp, the services,
one connection process for each WhatsAppNumber, and a receiver that prints the webhooks. Ctrl-C stops it, a second one kills it.

  --numbers DIR          manifests to run: the YAML that kubectl apply takes (default ${defaultNumbersFolder})
  --webhook URL          deliver to this address instead of starting a receiver; stands in for the receiver's address in subscriptions
  --data DIR             where data, secrets, logs and run.json are kept between runs (default ${defaultDataFolder})
  --fresh                forget what the data folder holds, then start
  --host ADDRESS         address to listen on (default 127.0.0.1: reachable from this machine only)
  --port-base N          first of the ports (default ${defaultPortBase}): gateway N, simulator N+1, receiver N+2, PostgreSQL N+3, NATS N+4,
                         services N+10 to N+22, connections from N+30, two each (health and metrics, then gRPC)
  --gateway-port N       the Cloud API for your software, and WhatsApp's webhooks
  --simulator-port N     the simulated WhatsApp
  --receiver-port N      the receiver that prints webhooks
  --postgres-port N      PostgreSQL
  --nats-port N          NATS
  --quiet                print problems and the line that all is up; no progress, no table, no webhooks
  --help                 print this

run.json in the data folder has the addresses, the token and the process ids for scripts; logs stand in logs/ there.
A file env/<process>.env there, with lines NAME=value, adds to the environment of that process whenever it starts.
`;

const optionTable = {
  numbers: { type: "string", default: defaultNumbersFolder },
  webhook: { type: "string" },
  data: { type: "string", default: defaultDataFolder },
  fresh: { type: "boolean", default: false },
  host: { type: "string", default: "127.0.0.1" },
  "port-base": { type: "string" },
  "gateway-port": { type: "string" },
  "simulator-port": { type: "string" },
  "receiver-port": { type: "string" },
  "postgres-port": { type: "string" },
  "nats-port": { type: "string" },
  quiet: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** `folders` are those from which relative paths count: of a path that was given, and of a default. Throws ArgumentError. */
export function readOptions(args: string[], folders: { caller: string; project: string }): Options | "help" {
  const values = parse(args);
  if (values.help) return "help";
  const place = (given: string, usual: string): string =>
    resolve(given === usual ? folders.project : folders.caller, given);
  const ports: PortChoice = { base: readPort("port-base", values["port-base"]) ?? defaultPortBase };
  for (const part of mainParts) {
    const port = readPort(`${part}-port`, values[portOption(part)]);
    if (port !== undefined) ports[part] = port;
  }
  return {
    ports,
    host: readHost(values.host),
    dataFolder: place(values.data, defaultDataFolder),
    numbersFolder: place(values.numbers, defaultNumbersFolder),
    webhookUrl: values.webhook === undefined ? undefined : readUrl(values.webhook),
    isFresh: values.fresh,
    isQuiet: values.quiet,
  };
}

function portOption<Part extends MainPart>(part: Part): `${Part}-port` {
  return `${part}-port`;
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: optionTable, strict: true, allowPositionals: false }).values;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const [what = ""] = error.message.split(/\. |\n/);
    const line = what.charAt(0).toLowerCase() + what.slice(1);
    throw new ArgumentError(`${line} (npm start -- --help explains the options)`, { cause: error });
  }
}

function readPort(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const port = /^\d+$/.test(value) ? Number(value) : 0;
  if (port < 1 || port > 65_535) throw new ArgumentError(`--${option} must be a port, 1 to 65535, not "${value}"`);
  return port;
}

function readHost(value: string): string {
  if (!/^[A-Za-z0-9.:_-]+$/.test(value))
    throw new ArgumentError(`--host must be an address or a host name, not "${value}"`);
  return value;
}

function readUrl(value: string): string {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new ArgumentError(`--webhook must be an http or https URL, not "${value}"`);
  return value;
}
