// The certificates of a folder laid out as cert-manager writes a Secret: ca.crt, tls.crt and tls.key. They are read again when they
// change. What cannot be used is told, and what was read before stays in use.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { ConfigError, readSecretFile } from "./config.ts";
import type { Log } from "./log.ts";

/** PEM, and what the certificate says of itself. */
export type TlsMaterial = {
  /** Those who may vouch for a peer; several while they rotate. */
  ca: string;
  cert: string;
  key: string;
  /** Of the certificate, those with a wildcard left aside. */
  dnsNames: readonly string[];
  validFrom: Date;
  validTo: Date;
};

export type TlsFiles = {
  /** What connections are opened with from now on. */
  current(): TlsMaterial;
  /** Called after each change, until the function that is returned is called. */
  follow(listener: (material: TlsMaterial) => void): () => void;
  /** Reads the files again, and tells once if the certificate is or will soon be out of date. */
  look(now: Date): void;
};

/** For a library that reads them at each new connection, and finds them then as the files are. */
export function readLive(files: TlsFiles) {
  return {
    get ca() {
      return files.current().ca;
    },
    get cert() {
      return files.current().cert;
    },
    get key() {
      return files.current().key;
    },
  };
}

type TlsFilesOptions = {
  /** The variable that names the folder, for messages. */
  variable: string;
  folder: string;
  /** Whether peers know each other by a DNS name of the certificate. */
  needsName: boolean;
  log: Log;
};

/** Throws ConfigError with a line for each file that cannot be used. */
export function openTlsFiles(options: TlsFilesOptions): TlsFiles {
  const { variable, folder, log } = options;
  const listeners = new Set<(material: TlsMaterial) => void>();
  let material = readMaterial(options);
  let seen = readTexts(folder);
  let toldFault = "";
  let toldAge: Age = "valid";

  function reread(): void {
    const texts = readTexts(folder);
    if (texts !== undefined && texts === seen) return;
    seen = texts;
    let next: TlsMaterial;
    try {
      next = readMaterial(options);
      toldFault = "";
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const fault = error.faults.join("; ");
      if (fault !== toldFault) log.error({ fault }, "certificates cannot be used, the last ones stay");
      toldFault = fault;
      return;
    }
    if (next.ca === material.ca && next.cert === material.cert && next.key === material.key) return;
    material = next;
    log.info({ variable, folder, validTo: next.validTo }, "certificates were read again");
    for (const listener of listeners) listener(next);
  }

  return {
    current: () => material,
    follow(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    look(now) {
      reread();
      const age = ageOf(material, now);
      if (age !== toldAge && age !== "valid") {
        const { validFrom, validTo } = material;
        log[age === "expiring" ? "warn" : "error"]({ variable, folder, validFrom, validTo }, ageTexts[age]);
      }
      toldAge = age;
    },
  };
}

const fileNames = ["ca.crt", "tls.crt", "tls.key"];

/** To see a change for the price of reading; undefined: not all of them can be read. */
function readTexts(folder: string): string | undefined {
  try {
    return fileNames.map((name) => readSecretFile(join(folder, name))).join("\n");
  } catch {
    return undefined;
  }
}

type Age = "early" | "valid" | "expiring" | "expired";

const ageTexts = {
  early: "certificate is not valid yet",
  expiring: "certificate expires soon and was not renewed",
  expired: "certificate has expired",
} satisfies Record<Exclude<Age, "valid">, string>;

/** Whoever renews does so when a third of the lifetime is left; the last tenth is late. */
const lateShare = 0.1;

function ageOf({ validFrom, validTo }: TlsMaterial, now: Date): Age {
  if (now < validFrom) return "early";
  const leftMs = validTo.getTime() - now.getTime();
  if (leftMs < 0) return "expired";
  return leftMs < lateShare * (validTo.getTime() - validFrom.getTime()) ? "expiring" : "valid";
}

function readMaterial({ variable, folder, needsName }: TlsFilesOptions): TlsMaterial {
  const faults: string[] = [];
  const parse = <T>(name: string, of: (pem: string) => T): { pem: string; value: T } | undefined => {
    const path = join(folder, name);
    try {
      const pem = readSecretFile(path);
      return { pem, value: of(pem) };
    } catch (error) {
      const told = error instanceof ConfigError ? error.faults : [`${path} ${messageOf(error)}`];
      faults.push(...told.map((fault) => `${variable}: ${fault}`));
      return undefined;
    }
  };
  const ca = parse("ca.crt", parseCertificates);
  const cert = parse("tls.crt", parseCertificates);
  const key = parse("tls.key", parseKey);
  const [leaf] = cert?.value ?? [];
  if (ca === undefined || cert === undefined || leaf === undefined || key === undefined) throw new ConfigError(faults);
  const dnsNames = dnsNamesOf(leaf);
  if (!leaf.checkPrivateKey(key.value)) throw faultOf(variable, `${join(folder, "tls.key")} is not the key of tls.crt`);
  if (needsName && dnsNames.length === 0)
    throw faultOf(variable, `${join(folder, "tls.crt")} carries no DNS name, by which peers know each other`);
  const pems = { ca: ca.pem, cert: cert.pem, key: key.pem };
  try {
    createSecureContext(pems);
  } catch (error) {
    throw faultOf(variable, `the files in ${folder} cannot be used: ${messageOf(error)}`);
  }
  return { ...pems, dnsNames, validFrom: leaf.validFromDate, validTo: leaf.validToDate };
}

function faultOf(variable: string, text: string): ConfigError {
  return new ConfigError([`${variable}: ${text}`]);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The first one is that of the key, or any authority. */
function parseCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error("holds no certificate");
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new Error(`holds what is no certificate: ${messageOf(error)}`, { cause: error });
  }
}

function parseKey(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error("holds no private key, or one with a passphrase");
  }
}

/** Ours, so the text may be taken apart: nobody else wrote the names in it. */
function dnsNamesOf({ subjectAltName = "" }: X509Certificate): string[] {
  return subjectAltName.split(", ").flatMap((entry) => /^DNS:([A-Za-z0-9._-]+)$/.exec(entry)?.[1] ?? []);
}
