// After Postgres lost commits: says what a recovery does, and has it done.
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { createClient } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { Context } from "../context.ts";
import { exitCodes } from "../errors.ts";
import { json } from "../render.ts";

// Rows are dealt with in commits of some hundred; a queue may be a million.
const deadlineMs = 1_800_000;

/** Without `isSure` nothing is done, which is a failure. Broken off, it goes on when it is repeated. */
export async function recover(
  { since, isSure }: { since: Date; isSure: boolean },
  { places, tls, json: asJson, out, err, signal }: Context,
): Promise<number> {
  if (!isSure) {
    err(planText(since));
    return exitCodes.failed;
  }
  await using service = createClient(MessagesService, places.messages(), { deadlineMs, tls: tls.grpc });
  const answer = await service.recover({ since: timestampFromDate(since) }, { signal });
  const { messages, events, grantsAfter, repeated } = answer;
  const grants = grantsAfter === undefined ? "" : timestampDate(grantsAfter).toISOString();
  if (asJson) {
    out(
      json({
        since: since.toISOString(),
        messages: Number(messages),
        events: Number(events),
        grantsAfter: grants,
        repeated,
      }),
    );
    return exitCodes.ok;
  }
  const head = repeated ? "this recovery was done before: " : "";
  out(`${head}${messages} messages unknown, ${events} events told again, leases granted from ${grants} on`);
  return exitCodes.ok;
}

function planText(since: Date): string {
  return `recover is for a Postgres that lost commits after ${since.toISOString()}: a failover to a standby that was behind, or a restore.
It will, for every number:
  - end the lease: each connection stops and starts anew, and sends nothing for a lease's time (15 s)
  - make unknown every message that is accepted, due, sending or unknown now, since it may have been sent: none of them is sent
    again. WhatsApp's statuses tell what became of them; those of which none comes fail as unknown_outcome (10 minutes)
  - tell the news since then again; who has them already leaves them aside
Nothing was done. Say --yes to have it done. docs/recovery.md tells what is lost for good, and how to recover before anything is sent.`;
}
