// Where things are reached. Listening on every address is no address to call, so callers get the loopback one.

/** The host part of a URL for what listens on `host`. */
export function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

export type Addresses = { gateway: string; simulator: string; receiver: string };

/** Base URLs, without a slash at the end. */
export function addressesOf(host: string, ports: { gateway: number; simulator: number; receiver: number }): Addresses {
  const at = (port: number): string => `http://${reachable(host)}:${port}`;
  return { gateway: at(ports.gateway), simulator: at(ports.simulator), receiver: at(ports.receiver) };
}

type Receivers = {
  /** Base URL that the samples name. */
  usual: string;
  /** Base URL of the receiver of this run. */
  actual: string;
  /** Where deliveries go instead of a receiver of ours. */
  instead: string | undefined;
};

/** Where a subscription's deliveries go in this run: as declared, unless it names our receiver, which may be elsewhere today. */
export function deliveryUrl(declared: string, { usual, actual, instead }: Receivers): string {
  const url = new URL(declared);
  if (url.origin !== new URL(usual).origin) return declared;
  return instead ?? `${actual}${url.pathname}${url.search}`;
}
