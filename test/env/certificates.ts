// Certificates for tests, written in DER by hand: Node reads X.509 but issues none, and openssl is not on every machine.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nextId } from "./folder.ts";

export type KeyPair = { cert: string; key: string };

type Issue = {
  dnsNames?: readonly string[];
  /** IPv4 only. */
  ips?: readonly string[];
  commonName?: string;
  validFrom?: Date;
  validTo?: Date;
};

export type Authority = {
  /** Its own certificate. */
  ca: string;
  /** A certificate for both server and client. Default: valid from an hour ago, for a day. */
  issue(wanted: Issue): KeyPair;
};

const hourMs = 3_600_000;

export function createAuthority(name: string): Authority {
  const { publicKey, privateKey } = newKeys();
  const common = { issuer: name, signer: privateKey };
  const ca = certificate({
    ...common,
    subject: name,
    publicKey,
    validFrom: new Date(Date.now() - 24 * hourMs),
    validTo: new Date(Date.now() + 240 * hourMs),
    extensions: [
      extension("2.5.29.19", sequence(der(0x01, Buffer.from([0xff]))), true),
      // keyCertSign
      extension("2.5.29.15", der(0x03, Buffer.from([2, 0b0000_0100])), true),
    ],
  });
  return {
    ca,
    issue({ dnsNames = [], ips = [], commonName = "heliograph", validFrom, validTo }) {
      const keys = newKeys();
      const names = [
        ...dnsNames.map((dnsName) => der(0x82, Buffer.from(dnsName, "latin1"))),
        ...ips.map((ip) => der(0x87, Buffer.from(ip.split(".").map(Number)))),
      ];
      const cert = certificate({
        ...common,
        subject: commonName,
        publicKey: keys.publicKey,
        validFrom: validFrom ?? new Date(Date.now() - hourMs),
        validTo: validTo ?? new Date(Date.now() + 23 * hourMs),
        extensions: [
          // serverAuth, clientAuth
          extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2"))),
          ...(names.length === 0 ? [] : [extension("2.5.29.17", sequence(...names))]),
        ],
      });
      return { cert, key: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
    },
  };
}

/** ca.crt, tls.crt and tls.key in the folder, put in place or replaced as kubelet does it: a symbolic link is moved. */
export function writeTlsFolder(folder: string, { ca, cert, key }: KeyPair & { ca: string }): void {
  const version = `..${process.pid}-${nextId()}`;
  mkdirSync(join(folder, version), { recursive: true });
  const files = { "ca.crt": ca, "tls.crt": cert, "tls.key": key };
  for (const [name, pem] of Object.entries(files)) {
    // Postgres takes no key that others may read.
    writeFileSync(join(folder, version, name), pem, { mode: 0o600 });
    rmSync(join(folder, name), { force: true });
    symlinkSync(join("..data", name), join(folder, name));
  }
  symlinkSync(version, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
}

function newKeys() {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

type Certificate = {
  issuer: string;
  signer: KeyObject;
  subject: string;
  publicKey: KeyObject;
  validFrom: Date;
  validTo: Date;
  extensions: readonly Buffer[];
};

/** RFC 5280, section 4.1. */
function certificate({ issuer, signer, subject, publicKey, validFrom, validTo, extensions }: Certificate): string {
  // The first byte is neither 0 nor above 127: a short and positive number.
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)]);
  const algorithm = sequence(oid("1.2.840.10045.4.3.2"));
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    distinguishedName(issuer),
    sequence(time(validFrom), time(validTo)),
    distinguishedName(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", signed, signer));
  const base64 = sequence(signed, algorithm, signature).toString("base64").replaceAll(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...contents: readonly Buffer[]): Buffer {
  return der(0x30, ...contents);
}

function distinguishedName(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid("2.5.4.3"), der(0x0c, Buffer.from(commonName)))));
}

/** UTCTime, which is for years before 2050. */
function time(at: Date): Buffer {
  const digits = at.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return der(0x17, Buffer.from(digits.slice(2)));
}

function extension(id: string, value: Buffer, isCritical = false): Buffer {
  return sequence(oid(id), ...(isCritical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));
}

function oid(id: string): Buffer {
  const [first = 0, second = 0, ...rest] = id.split(".").map(Number);
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

function base128(part: number): number[] {
  const bytes = [part & 0x7f];
  for (let left = part >> 7; left > 0; left >>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}
