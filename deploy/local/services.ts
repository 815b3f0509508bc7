// The Node processes of the stack and their environment: the same variables that pods get.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { WhatsAppNumber } from "#operator/api/v1alpha1/whatsapp-number.ts";
import { addressesOf, reachable } from "./addresses.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Manifests } from "./manifests.ts";
import type { HttpServiceName, Pair, Ports, RpcServiceName } from "./ports.ts";
import type { SecretFiles } from "./secrets.ts";

export type NodeProcess = {
  name: string;
  /** Absolute path of the entry file. */
  entry: string;
  env: Record<string, string>;
  /** Base URL of /readyz. */
  http: string;
  /** host:port of its RPCs; null where it has none. */
  grpc: string | null;
  /** What people use, as the table shows it. */
  address: string;
  /** Its output goes to the terminal, not to its log. */
  printsForPeople: boolean;
};

type RpcProcess = NodeProcess & { grpc: string };

export type Services = Record<"simulator" | "gateway", NodeProcess> &
  Record<"messages" | "templates" | "billing" | "quality" | "webhooks", RpcProcess>;

export type Site = {
  host: string;
  ports: Ports;
  folder: DataFolder;
  files: SecretFiles;
  databaseUrl: string;
  natsUrl: string;
  /** The simulator's world. */
  worldFile: string;
};

const root = fileURLToPath(new URL("../../", import.meta.url));

function common({ host, ports, databaseUrl, natsUrl }: Site, http: number): Record<string, string> {
  const peer = (pair: Pair): string => `${reachable(host)}:${pair.grpc}`;
  return {
    LISTEN_HOST: host,
    HTTP_PORT: String(http),
    DATABASE_URL: databaseUrl,
    NATS_URL: natsUrl,
    MESSAGES_ADDRESS: peer(ports.services.messages),
    TEMPLATES_ADDRESS: peer(ports.services.templates),
    BILLING_ADDRESS: peer(ports.services.billing),
    QUALITY_ADDRESS: peer(ports.services.quality),
  };
}

/** The path of Meta's webhooks at the gateway. */
export const metaWebhookPath = "/webhooks/meta";

/** Everything but the connections; they can start in any order. */
export function servicesOf(site: Site): Services {
  const { ports, files, worldFile } = site;
  const { gateway, simulator } = addressesOf(site.host, ports);
  return {
    simulator: httpProcess(site, "simulator", simulator, {
      API_PORT: String(ports.simulator),
      SEED_FILE: worldFile,
    }),
    gateway: httpProcess(site, "gateway", gateway, {
      API_PORT: String(ports.gateway),
      API_TOKEN_FILE: files.apiTokenFile,
      META_APP_SECRETS_DIR: files.appSecretsFolder,
      META_VERIFY_TOKEN_FILE: files.verifyTokenFile,
    }),
    messages: rpcProcess(site, "messages"),
    templates: rpcProcess(site, "templates"),
    billing: rpcProcess(site, "billing"),
    quality: rpcProcess(site, "quality"),
    // Stopping has 2 s for a service.
    webhooks: rpcProcess(site, "webhooks", { DRAIN_MS: "1000" }),
  };
}

function httpProcess(site: Site, name: HttpServiceName, address: string, own: Record<string, string>): NodeProcess {
  const { http } = site.ports.services[name];
  return {
    name,
    entry: join(root, "services", name, "main.ts"),
    env: { ...common(site, http), ...own },
    http: `http://${reachable(site.host)}:${http}`,
    grpc: null,
    address,
    printsForPeople: false,
  };
}

function rpcProcess(site: Site, name: RpcServiceName, own: Record<string, string> = {}): RpcProcess {
  const { http, grpc } = site.ports.services[name];
  const address = `${reachable(site.host)}:${grpc}`;
  return {
    name,
    entry: join(root, "services", name, "main.ts"),
    env: { ...common(site, http), GRPC_PORT: String(grpc), ...own },
    http: `http://${reachable(site.host)}:${http}`,
    grpc: address,
    address,
    printsForPeople: false,
  };
}

export function receiverOf({ host, ports, files }: Site, isQuiet: boolean): NodeProcess {
  const { receiver } = addressesOf(host, ports);
  return {
    name: "receiver",
    entry: join(root, "deploy", "local", "receiver.ts"),
    env: {
      LISTEN_HOST: host,
      PORT: String(ports.receiver),
      SECRETS_DIR: files.webhookSecretsFolder,
      PRINT: String(!isQuiet),
    },
    http: receiver,
    grpc: null,
    address: receiver,
    printsForPeople: true,
  };
}

/** One for each number that is to be connected, in the order of the ports. */
export function connectionsOf(site: Site, { accounts, numbers }: Manifests): NodeProcess[] {
  return numbers.flatMap((number, index) => {
    const pair = site.ports.connections[index];
    if (pair === undefined || number.spec.desiredState === "Disconnected") return [];
    const account = accounts.find(({ metadata }) => metadata.name === number.spec.accountRef.name);
    return [connectionOf(site, pair, number, account?.spec.upstreamUrl)];
  });
}

function connectionOf(
  site: Site,
  pair: Pair,
  { metadata, spec }: WhatsAppNumber,
  upstreamUrl: string | undefined,
): NodeProcess {
  const address = `${reachable(site.host)}:${pair.grpc}`;
  const { DATABASE_URL: _, ...env } = common(site, pair.http);
  return {
    name: `connection-${metadata.name}`,
    entry: join(root, "services", "connection", "main.ts"),
    env: {
      ...env,
      GRPC_PORT: String(pair.grpc),
      PHONE_NUMBER_ID: spec.phoneNumberId,
      // Stopping has 3 s for a connection.
      DRAIN_MS: "2000",
      HOLDER: `local/${metadata.name}`,
      ADVERTISED_HOST: reachable(site.host),
      UPSTREAM_URL: upstreamUrl ?? addressesOf(site.host, site.ports).simulator,
      ACCESS_TOKEN_FILE: site.files.accessTokenFiles.get(metadata.name) ?? "",
    },
    http: `http://${reachable(site.host)}:${pair.http}`,
    grpc: address,
    address,
    printsForPeople: false,
  };
}
