// Secrets as files, the way pods get them mounted. Written anew at each start, so that one taken out of the manifests is gone;
// only the API token is drawn once and kept.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifests } from "./manifests.ts";

export type SecretFiles = {
  apiToken: string;
  apiTokenFile: string;
  /** A file for each account. */
  appSecretsFolder: string;
  /** The first account's: it signs the simulator's webhooks. */
  appSecret: string;
  appSecretFile: string;
  verifyToken: string;
  verifyTokenFile: string;
  accessTokens: string[];
  /** By the number's name. */
  accessTokenFiles: ReadonlyMap<string, string>;
  /** A file for each subscription. */
  webhookSecretsFolder: string;
};

/** Writes all of them below `folder`, readable by their owner only. */
export function writeSecrets(folder: string, { accounts, numbers, subscriptions, secrets }: Manifests): SecretFiles {
  const valueOf = (name: string, key: string): string => (secrets.get(name)?.[key] ?? "").trim();
  const folderOf = (name: string): string => {
    const path = join(folder, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  };
  const write = (path: string, value: string): string => {
    writeFileSync(path, `${value}\n`, { mode: 0o600 });
    return path;
  };
  const appSecretsFolder = folderOf("app-secrets");
  const webhookSecretsFolder = folderOf("webhooks");
  const accessTokensFolder = folderOf("access-tokens");
  const apiTokenFile = join(folder, "api-token");
  if (!existsSync(apiTokenFile)) write(apiTokenFile, randomBytes(24).toString("base64url"));

  for (const { metadata, spec } of accounts)
    write(join(appSecretsFolder, metadata.name), valueOf(spec.credentialsRef.name, "appSecret"));
  for (const { metadata, spec } of subscriptions) {
    write(join(webhookSecretsFolder, metadata.name), valueOf(spec.secretRef.name, spec.secretRef.key));
  }
  const tokens = numbers.map(({ metadata, spec }) => {
    const account = accounts.find((candidate) => candidate.metadata.name === spec.accountRef.name);
    const secretName = spec.credentialsRef?.name ?? account?.spec.credentialsRef.name ?? "";
    const value = valueOf(secretName, "accessToken");
    return { value, name: metadata.name, file: write(join(accessTokensFolder, metadata.name), value) };
  });
  const first = accounts[0]?.spec.credentialsRef.name ?? "";
  const verifyToken = valueOf(first, "verifyToken");
  return {
    apiToken: readFileSync(apiTokenFile, "utf8").trim(),
    apiTokenFile,
    appSecretsFolder,
    appSecret: valueOf(first, "appSecret"),
    appSecretFile: join(appSecretsFolder, accounts[0]?.metadata.name ?? ""),
    verifyToken,
    verifyTokenFile: write(join(folder, "verify-token"), verifyToken),
    accessTokens: [...new Set(tokens.map(({ value }) => value))],
    accessTokenFiles: new Map(tokens.map(({ name, file }) => [name, file])),
    webhookSecretsFolder,
  };
}
