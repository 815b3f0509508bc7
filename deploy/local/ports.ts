// Which port each part listens on. Chosen from the port base alone, so that a restarted process has the address it had.
import { createServer } from "node:net";

/** The parts that have a port of their own choosing on the command line. */
export const mainParts = ["gateway", "simulator", "receiver", "postgres", "nats"] as const;

export type MainPart = (typeof mainParts)[number];

export const defaultPortBase = 8_400;

export type PortChoice = { base: number } & Partial<Record<MainPart, number>>;

/** `http` serves health and metrics, `grpc` the RPCs. */
export type Pair = { http: number; grpc: number };

const rpcOffsets = { messages: 10, templates: 12, billing: 14, quality: 16, webhooks: 18 } as const;
// Those whose own port is a main part's, and which have no RPCs.
const httpOffsets = { gateway: 20, simulator: 22 } as const;
const firstConnectionOffset = 30;
const highestPort = 65_535;

export type RpcServiceName = keyof typeof rpcOffsets;
export type HttpServiceName = keyof typeof httpOffsets;

export type Ports = Record<MainPart, number> & {
  services: Record<RpcServiceName, Pair> & Record<HttpServiceName, Omit<Pair, "grpc">>;
  /** One for each number, in the order given. */
  connections: Pair[];
};

/** Throws if the connections of so many numbers do not fit above the base. */
export function planPorts(choice: PortChoice, numbers: number): Ports {
  const { base } = choice;
  const pair = (offset: number): Pair => ({ http: base + offset, grpc: base + offset + 1 });
  const last = base + firstConnectionOffset + 2 * numbers;
  if (last > highestPort)
    throw new Error(`the ports of ${numbers} numbers do not fit above ${base}: choose a lower --port-base`);
  return {
    gateway: choice.gateway ?? base,
    simulator: choice.simulator ?? base + 1,
    receiver: choice.receiver ?? base + 2,
    postgres: choice.postgres ?? base + 3,
    nats: choice.nats ?? base + 4,
    services: {
      messages: pair(rpcOffsets.messages),
      templates: pair(rpcOffsets.templates),
      billing: pair(rpcOffsets.billing),
      quality: pair(rpcOffsets.quality),
      webhooks: pair(rpcOffsets.webhooks),
      gateway: { http: base + httpOffsets.gateway },
      simulator: { http: base + httpOffsets.simulator },
    },
    connections: Array.from({ length: numbers }, (_, index) => pair(firstConnectionOffset + 2 * index)),
  };
}

/** A port with the words for the person who must choose another. */
export type NamedPort = { port: number; what: string; option: string };

/** Every port of the plan; `withReceiver` is false when deliveries go elsewhere. */
export function listPorts(ports: Ports, withReceiver: boolean): NamedPort[] {
  const main = mainParts.filter((part) => withReceiver || part !== "receiver");
  const others: [string, Partial<Pair>][] = [
    ...Object.entries(ports.services),
    ...ports.connections.map((pair, index): [string, Pair] => [`connection ${index + 1}`, pair]),
  ];
  const named = (port: number | undefined, what: string): NamedPort[] =>
    port === undefined ? [] : [{ port, what, option: "--port-base" }];
  return [
    ...main.map((part) => ({ port: ports[part], what: part, option: `--${part}-port or --port-base` })),
    ...others.flatMap(([name, { http, grpc }]) => [
      ...named(http, `${name}, health and metrics`),
      ...named(grpc, `${name}, gRPC`),
    ]),
  ];
}

/** A line for each port that is chosen twice or that another program has. */
export async function findTakenPorts(host: string, ports: readonly NamedPort[]): Promise<string[]> {
  const chosen = new Map<number, NamedPort>();
  const faults: string[] = [];
  for (const named of ports) {
    const { port, what, option } = named;
    const other = chosen.get(port);
    chosen.set(port, named);
    if (other !== undefined)
      faults.push(`port ${port} is chosen twice, for ${other.what} and ${what}: change it with ${option}`);
    else if (!(await isFree(host, port))) faults.push(`port ${port} (${what}) is taken: choose another with ${option}`);
  }
  return faults;
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      if ("code" in error && (error.code === "EADDRINUSE" || error.code === "EACCES")) resolve(false);
      else reject(new Error(`cannot listen on ${host}: ${error.message}`, { cause: error }));
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
