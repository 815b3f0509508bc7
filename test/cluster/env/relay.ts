// The way from the test into the cluster's network: a Unix socket that the stage listens on inside, and ports of this machine that
// lead through it. The first line on the socket names where to go, as `host:port`; the rest is the connection.
import { connect, createServer, type Server, type Socket } from "node:net";

export type Forward = AsyncDisposable & {
  /** On 127.0.0.1. */
  port: number;
};

const longestLine = 300;

/** Inside. Names are those of cluster DNS. */
export function listenForRelays(path: string): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    incoming.on("error", () => incoming.destroy());
    readLine(incoming, (line) => {
      const at = line.lastIndexOf(":");
      join(incoming, connect({ host: line.slice(0, at), port: Number(line.slice(at + 1)), allowHalfOpen: true }));
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
}

/** Outside: a free port whose connections end at `target`, such as `wa-gateway.default.svc.cluster.local:80`. */
export async function forward(path: string, target: string): Promise<Forward> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (incoming) => {
    const onward = connect({ path, allowHalfOpen: true });
    for (const socket of [incoming, onward]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    }
    onward.write(`${target}\n`);
    join(incoming, onward);
  });
  const port = await listen(server);
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address.port);
    });
  });
}

/** Each end is passed on; what breaks one side breaks the other. */
function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.setNoDelay();
    from.on("error", () => to.destroy());
    from.on("close", () => {
      if (!from.readableEnded) to.destroy();
    });
    from.pipe(to);
  }
}

function readLine(socket: Socket, onLine: (line: string) => void): void {
  let text = Buffer.alloc(0);
  const onData = (data: Buffer): void => {
    text = Buffer.concat([text, data]);
    const end = text.indexOf("\n");
    if (end < 0) {
      if (text.length > longestLine) socket.destroy();
      return;
    }
    socket.off("data", onData);
    socket.pause();
    socket.unshift(text.subarray(end + 1));
    onLine(text.subarray(0, end).toString());
  };
  socket.on("data", onData);
}
