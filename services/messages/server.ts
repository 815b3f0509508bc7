// The RPCs of the ledger, by what they are about.
import { serve } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { ExplainDependencies } from "./explain-facts.ts";
import { explainHandlers } from "./explain-rpcs.ts";
import { countFenced } from "./fence-count.ts";
import { type LeaseDependencies, leaseHandlers } from "./lease-rpcs.ts";
import { type LedgerDependencies, ledgerHandlers } from "./ledger-rpcs.ts";
import { type MessageDependencies, messageHandlers } from "./message-rpcs.ts";
import type { RecoveryDependencies } from "./recovery.ts";
import type { TellingDependencies } from "./recovery-news.ts";
import { recoveryHandlers } from "./recovery-rpcs.ts";
import { type RegisterDependencies, registerHandlers } from "./register-rpcs.ts";

export function messagesServer(
  dependencies: LedgerDependencies &
    MessageDependencies &
    ExplainDependencies &
    LeaseDependencies &
    RegisterDependencies &
    RecoveryDependencies &
    TellingDependencies,
) {
  const { metrics } = dependencies;
  const { claim, begin, ...ledger } = ledgerHandlers(dependencies);
  const { acquire, renew, ...leases } = leaseHandlers(dependencies);
  return serve(MessagesService, {
    ...ledger,
    claim: countFenced(metrics, "claim", claim),
    begin: countFenced(metrics, "begin", begin),
    ...messageHandlers(dependencies),
    ...explainHandlers(dependencies),
    ...leases,
    acquire: countFenced(metrics, "acquire", acquire),
    renew: countFenced(metrics, "renew", renew),
    ...registerHandlers(dependencies),
    ...recoveryHandlers(dependencies),
  });
}
