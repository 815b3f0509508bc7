// The RPCs of the ledger. Explain, ListMessages, CancelMessages and Republish are not built yet.
import { serve } from "#lib/grpc.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type LeaseDependencies, leaseHandlers } from "./lease-rpcs.ts";
import { type LedgerDependencies, ledgerHandlers } from "./ledger-rpcs.ts";
import { type RegisterDependencies, registerHandlers } from "./register-rpcs.ts";

export function messagesServer(dependencies: LedgerDependencies & LeaseDependencies & RegisterDependencies) {
  return serve(MessagesService, {
    ...ledgerHandlers(dependencies),
    ...leaseHandlers(dependencies),
    ...registerHandlers(dependencies),
  });
}
