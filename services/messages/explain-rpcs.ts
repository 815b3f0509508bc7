// The RPC that tells what would happen, and changes nothing.
import type { Handlers } from "#lib/grpc.ts";
import type { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { explain } from "./domain/explain.ts";
import { summarize } from "./domain/explain-summary.ts";
import { type ExplainDependencies, loadSituation } from "./explain-facts.ts";
import { parseExplain, toExplainResponse } from "./wire-explain.ts";

export function explainHandlers(dependencies: ExplainDependencies) {
  return {
    async explain(request) {
      const at = dependencies.now();
      const asked = parseExplain(request);
      const situation = await loadSituation(dependencies, asked, at);
      const explanations = explain(situation, at);
      return toExplainResponse(explanations, summarize(explanations, situation, at), situation.headroom);
    },
  } satisfies Handlers<typeof MessagesService>;
}
