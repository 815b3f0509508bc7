// The RPC for what comes after a disaster.
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Handlers } from "#lib/grpc.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type RecoveryDependencies, settle } from "./recovery.ts";
import { tellAll, type TellingDependencies } from "./recovery-news.ts";
import { loadRecovery } from "./store/recovery.ts";
import { invalid } from "./wire.ts";
import { parseBound } from "./wire-list.ts";

export function recoveryHandlers(dependencies: RecoveryDependencies & TellingDependencies) {
  return {
    async recover(request, { signal }) {
      const since = parseBound("since", request.since);
      if (since === undefined) throw invalid("since is missing");
      if (since > dependencies.now()) throw invalid("since must not be in the future");
      const settled = await settle(dependencies, since, signal);
      // Broken off here, the service goes on by itself.
      await tellAll(dependencies, since, signal);
      const { messages, events, grantsAfter } = (await loadRecovery(dependencies.db, since)) ?? settled;
      return {
        messages: BigInt(messages),
        events: BigInt(events),
        grantsAfter: timestampFromDate(grantsAfter),
        repeated: settled.isFinished,
      };
    },
  } satisfies Handlers<typeof MessagesService>;
}
