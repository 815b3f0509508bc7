// How a connection pod shows certificates: Secrets as cert-manager writes them, mounted where the process looks for them.

/** Names of Secrets in the namespace of the pod, for gRPC and for NATS; plain where there is none. */
export type TlsSecrets = Partial<Record<"grpc" | "nats", string | undefined>>;

type PodTls = {
  env: { name: string; value: string }[];
  volumes: { name: string; secret: { secretName: string; defaultMode: number } }[];
  volumeMounts: { name: string; mountPath: string; readOnly: true }[];
};

export function podTlsOf(secrets: TlsSecrets = {}): PodTls {
  const used = Object.entries(secrets).flatMap(([peer, secretName]) =>
    secretName === undefined ? [] : [{ peer, secretName, name: `${peer}-tls`, path: `/etc/heliograph/tls/${peer}` }],
  );
  return {
    env: used.map(({ peer, path }) => ({ name: `${peer.toUpperCase()}_TLS_DIR`, value: path })),
    volumes: used.map(({ name, secretName }) => ({ name, secret: { secretName, defaultMode: 0o440 } })),
    volumeMounts: used.map(({ name, path }) => ({ name, mountPath: path, readOnly: true })),
  };
}
