// The RPC for what comes after a disaster.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Handlers } from "#lib/grpc.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { recover, type RecoveryDependencies } from "./recovery.ts";
import { invalid } from "./wire.ts";
import { parseBound } from "./wire-list.ts";

export function recoveryHandlers(dependencies: RecoveryDependencies) {
  return {
    async recover(request, { signal }) {
      const since = parseBound("since", request.since);
      if (since === undefined) throw invalid("since is missing");
      if (since > dependencies.now()) throw invalid("since must not be in the future");
      const { messages, events, grantsAfter, isRepeated } = await recover(dependencies, since, signal);
      return {
        messages: BigInt(messages),
        events: BigInt(events),
        grantsAfter: timestampFromDate(grantsAfter),
        repeated: isRepeated,
      };
    },
  } satisfies Handlers<typeof MessagesService>;
}
