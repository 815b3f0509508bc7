// The RPCs of the ledger, by what they are about.
import { serve } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import type { ExplainDependencies } from "./explain-facts.ts";
import { explainHandlers } from "./explain-rpcs.ts";
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
  return serve(MessagesService, {
    ...ledgerHandlers(dependencies),
    ...messageHandlers(dependencies),
    ...explainHandlers(dependencies),
    ...leaseHandlers(dependencies),
    ...registerHandlers(dependencies),
    ...recoveryHandlers(dependencies),
  });
}
