// gRPC over TLS with certificates on both sides. A peer, server or client, is known by two things: an authority of ca.crt vouches for its
// certificate, and it carries a DNS name that ours carries too. The address it is reached at does not matter: pods have none of their own.
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import type { Log } from "./log.ts";
import type { TlsFiles, TlsMaterial } from "./tls-files.ts";

export type GrpcTls = {
  files: TlsFiles;
  log: Log;
  /** For clients. The same for all, so that they share connections. */
  credentials: grpc.ChannelCredentials;
  channelOptions: grpc.ChannelOptions;
};

export function createGrpcTls(files: TlsFiles, log: Log): GrpcTls {
  const provider = providerOf(files);
  const checkServerIdentity = (_: string, { raw }: { raw: Buffer }): Error | undefined =>
    isKnown(new X509Certificate(raw), files.current()) ? undefined : new Error(strangerText);
  const verify = { checkServerIdentity };
  return {
    files,
    log,
    credentials: grpc.experimental.createCertificateProviderChannelCredentials(provider, provider, verify),
    // Else the host of the address is told as the server's name, which TLS forbids where it is an IP address.
    channelOptions: { "grpc.ssl_target_name_override": files.current().dnsNames[0] ?? "" },
  };
}

const strangerText = "the peer's certificate carries no DNS name that ours carries";

function isKnown(peer: X509Certificate, { dnsNames }: TlsMaterial): boolean {
  return dnsNames.some((name) => peer.checkHost(name, { subject: "never", wildcards: false }) !== undefined);
}

/** Hands each change on to the channels; each connection is opened with what came last. */
function providerOf(files: TlsFiles): grpc.experimental.CertificateProvider {
  const stops = new Map<unknown, () => void>();
  const add = (listener: unknown, tell: (material: TlsMaterial) => void): void => {
    stops.set(listener, files.follow(tell));
    process.nextTick(() => tell(files.current()));
  };
  const remove = (listener: unknown): void => {
    stops.get(listener)?.();
    stops.delete(listener);
  };
  return {
    addCaCertificateListener: (listener) => add(listener, ({ ca }) => listener({ caCertificate: Buffer.from(ca) })),
    removeCaCertificateListener: remove,
    addIdentityCertificateListener: (listener) =>
      add(listener, ({ cert, key }) => listener({ certificate: Buffer.from(cert), privateKey: Buffer.from(key) })),
    removeIdentityCertificateListener: remove,
  };
}

type ListenOptions = { host: string; port: number; tls: GrpcTls };

export type GrpcListener = AsyncDisposable & {
  port: number;
  /** Takes no connections any more; those that there are go on. */
  stop(): void;
};

const handshakeMs = 10_000;

/**
 * Takes connections for the server, and refuses a peer that is not known. A listener of our own: that of grpc-js tells nobody whom
 * it refused. Rejects if the port is taken. To be disposed after the server.
 */
export async function listenWithTls(server: grpc.Server, { host, port, tls }: ListenOptions): Promise<GrpcListener> {
  const { files, log } = tls;
  // Insecure is what comes after our TLS.
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const tell = createRefusalLog(log);
  const sockets = new Set<Socket>();
  const listener = createServer({
    ...contextOf(files.current()),
    requestCert: true,
    // Refused by refusalOf instead, which knows who it was.
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    handshakeTimeout: handshakeMs,
    noDelay: true,
  });
  listener.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  listener.on("secureConnection", (socket) => {
    // http2 leaves these to others.
    socket.on("error", () => undefined);
    const refusal = refusalOf(socket, files.current());
    if (refusal === undefined) return injector.injectConnection(socket);
    tell(refusal, socket);
    socket.destroy();
  });
  listener.on("tlsClientError", (error, socket) => {
    const reason = "code" in error ? String(error.code) : error.message;
    // Whoever only looks whether the port is open.
    if (reason !== "ECONNRESET") tell(reason, socket);
  });
  const stopFollowing = files.follow((material) => listener.setSecureContext(contextOf(material)));
  listener.listen(port, host);
  await once(listener, "listening");
  // A connection that could not be taken, for want of descriptors, must not end the process.
  listener.on("error", (error) => log.warn({ err: error }, "connection was not taken"));
  const address = listener.address();
  const closed = new Promise<void>((resolve) => listener.once("close", () => resolve()));
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stop: () => void listener.close(),
    async [Symbol.asyncDispose]() {
      stopFollowing();
      listener.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function contextOf({ ca, cert, key }: TlsMaterial) {
  return { ca, cert, key };
}

/** Why the peer is not known; undefined for one that is. */
function refusalOf(socket: TLSSocket, material: TlsMaterial): string | undefined {
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) return "it shows no certificate";
  if (!socket.authorized) return String(socket.authorizationError);
  return isKnown(peer, material) ? undefined : strangerText;
}

const tellAgainMs = 60_000;
const mostTold = 1_000;

/** Once in a minute for each address and reason: a peer that is refused comes again and again. */
function createRefusalLog(log: Log): (reason: string, socket: TLSSocket) => void {
  const toldAt = new Map<string, number>();
  return (reason, { remoteAddress }) => {
    const key = `${remoteAddress} ${reason}`;
    const now = performance.now();
    if (now - (toldAt.get(key) ?? -tellAgainMs) < tellAgainMs) return;
    if (toldAt.size >= mostTold) toldAt.clear();
    toldAt.set(key, now);
    log.warn({ peer: remoteAddress, reason }, "peer refused");
  };
}
