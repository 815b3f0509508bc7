// Postgres over TLS: the server's certificate must be vouched for and be that of the host in the URL, and ours is shown.
import type { ConnectionOptions } from "node:tls";
import { readLive, type TlsFiles } from "./tls-files.ts";

/**
 * What the pool connects with, read from the files at each new connection. Never without TLS, whatever the URL says: its settings of
 * TLS are taken out, but `sslmode=verify-ca` is kept to, by which the server may have any name.
 */
export function databaseTls(url: string, files: TlsFiles): { connectionString: string; ssl: ConnectionOptions } {
  const stripped = new URL(url);
  const anyName = stripped.searchParams.get("sslmode") === "verify-ca";
  const settings = Array.from(stripped.searchParams.keys()).filter((name) => /^(ssl|uselibpqcompat)/.test(name));
  for (const name of settings) stripped.searchParams.delete(name);
  const ssl: ConnectionOptions = readLive(files);
  if (anyName) ssl.checkServerIdentity = () => undefined;
  return { connectionString: stripped.href, ssl };
}
