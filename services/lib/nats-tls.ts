// NATS over TLS: the server's certificate must be vouched for and be that of a host in the URL, and ours is shown.
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { readLive, type TlsFiles } from "./tls-files.ts";

/**
 * What the client connects with, read from the files at each attempt. Of a server that is reached by its IP address the client tells
 * no name, and Node would then take a certificate of "localhost": so the names are checked here. `url` may be several, by commas.
 */
export function natsTls(url: string, files: TlsFiles) {
  const hosts = url.split(",").map(hostOf);
  return Object.assign(readLive(files), {
    checkServerIdentity(_: string, certificate: PeerCertificate): Error | undefined {
      const faults = hosts.map((host) => checkServerIdentity(host, certificate));
      return faults.includes(undefined) ? undefined : faults[0];
    },
  });
}

/** An IPv6 address without its brackets. */
function hostOf(address: string): string {
  const { hostname } = new URL(/^[a-z]+:\/\//.test(address) ? address : `nats://${address}`);
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
