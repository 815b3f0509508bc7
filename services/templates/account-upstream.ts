// WhatsApp as seen by an account: any of its connected numbers speaks for it.
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import type { GrpcTls } from "#lib/grpc-tls.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";

type Upstream = Client<typeof UpstreamService>;
type Options = { deadlineMs: number; signal?: AbortSignal };
type Asked = { deadlineMs: number; signal: AbortSignal | undefined };
export type Ask<T> = (upstream: Upstream, options: Options) => Promise<T>;

export type AccountUpstream = {
  /** Asks one number after the other until one answers. Throws the last error, or FAILED_PRECONDITION number_disconnected. */
  read<T>(wabaId: string, asked: Asked, ask: Ask<T>): Promise<T>;
  /** Asks another number only where the first one said that it is not connected: nothing is done twice. */
  change<T>(wabaId: string, asked: Asked, ask: Ask<T>): Promise<T>;
};

export function accountUpstream(messages: Client<typeof MessagesService>, tls?: GrpcTls): AccountUpstream {
  async function ask<T>(
    wabaId: string,
    { deadlineMs, signal }: Asked,
    call: Ask<T>,
    goesOn: (fault: ServiceError) => boolean,
  ): Promise<T> {
    const options = { deadlineMs, ...(signal !== undefined && { signal }) };
    const { numbers } = await messages.listNumbers({ wabaId }, { ...(signal !== undefined && { signal }) });
    // One whose token is refused, or whose upstream is away, is the last to be asked.
    const connections = numbers
      .flatMap(({ connection }) => (connection?.connected === true && connection.address !== "" ? [connection] : []))
      .toSorted((a, b) => rank(a.standing) - rank(b.standing));
    let fault = new ServiceError(
      "FAILED_PRECONDITION",
      "number_disconnected",
      `account ${wabaId} has no connected number`,
    );
    for (const { address } of connections) {
      try {
        await using upstream = createClient(UpstreamService, address, { tls });
        return await call(upstream, options);
      } catch (error) {
        fault = ServiceError.from(error);
        if (signal?.aborted === true || !goesOn(fault)) break;
      }
    }
    throw fault;
  }

  return {
    read: (wabaId, asked, call) => ask(wabaId, asked, call, () => true),
    change: (wabaId, asked, call) => ask(wabaId, asked, call, ({ reason }) => reason === "number_disconnected"),
  };
}

function rank(standing: string): number {
  return standing === "token_refused" || standing === "upstream_away" ? 1 : 0;
}
