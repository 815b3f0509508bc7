// The RPCs of the ledger. Explain is not built yet.
import { serve } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type LeaseDependencies, leaseHandlers } from "./lease-rpcs.ts";
import { type LedgerDependencies, ledgerHandlers } from "./ledger-rpcs.ts";
import { type MessageDependencies, messageHandlers } from "./message-rpcs.ts";
import { type RegisterDependencies, registerHandlers } from "./register-rpcs.ts";

export function messagesServer(
  dependencies: LedgerDependencies & MessageDependencies & LeaseDependencies & RegisterDependencies,
) {
  return serve(MessagesService, {
    ...ledgerHandlers(dependencies),
    ...messageHandlers(dependencies),
    ...leaseHandlers(dependencies),
    ...registerHandlers(dependencies),
  });
}
