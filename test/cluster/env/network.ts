// The cluster's network: a bridge in the outer network namespace of the cluster, where the control plane lives, and a network namespace
// for each node, with pod addresses of its own. No way leads out of it.
import { existsSync, writeFileSync } from "node:fs";
import { run } from "./command.ts";

/** Of the control plane and of everything else outside of nodes. */
export const outerAddress = "10.200.0.1";
export const serviceRange = "10.96.0.0/16";
export const apiServiceAddress = "10.96.0.1";
export const dnsServiceAddress = "10.96.0.10";
export const podRange = "10.244.0.0/16";

export type NodePlace = { name: string; address: string; podRange: string; namespace: string; link: string };

/** Counts from 1. */
export function placeOf(index: number): NodePlace {
  const name = `node${index}`;
  return {
    name,
    address: `10.200.0.${10 + index}`,
    podRange: `10.244.${index}.0/24`,
    namespace: `/run/netns/${name}`,
    link: `v${name}`,
  };
}

const bridge = "kbr0";

export async function makeNetwork(places: readonly NodePlace[]): Promise<void> {
  await run("ip", "link", "set", "lo", "up");
  await run("ip", "link", "add", bridge, "type", "bridge");
  await run("ip", "addr", "add", `${outerAddress}/24`, "dev", bridge);
  await run("ip", "link", "set", bridge, "up");
  // Addresses of Services are changed on their way out, which takes a way.
  await run("ip", "route", "add", serviceRange, "dev", bridge);
  // What crosses the bridge has been through the rules of its node already.
  const setting = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  if (existsSync(setting)) writeFileSync(setting, "0");
  for (const place of places) await makeNodeNetwork(place, places);
}

async function makeNodeNetwork(place: NodePlace, places: readonly NodePlace[]): Promise<void> {
  const { name, address, podRange: pods, namespace, link } = place;
  await run("ip", "netns", "add", name);
  await run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name);
  await run("ip", "link", "set", link, "master", bridge, "up");
  await run("ip", "route", "add", pods, "via", address);
  const inNode = (...args: string[]): Promise<string> => run("ip", "-n", name, ...args);
  await inNode("link", "set", "lo", "up");
  await inNode("addr", "add", `${address}/24`, "dev", "eth0");
  await inNode("link", "set", "eth0", "up");
  await inNode("route", "add", "default", "via", outerAddress);
  for (const other of places) {
    if (other.name !== name) await inNode("route", "add", other.podRange, "via", other.address);
  }
  await run("nsenter", `--net=${namespace}`, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
}
