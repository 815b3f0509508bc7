// Which accounts a change is of interest to. Handlers only compute keys.
import type { WhatsAppBusinessAccount } from "../api/v1alpha1/whatsapp-business-account.ts";
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
import type { Register } from "../number/register.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Key, keyOf } from "../runtime/objects.ts";
import type { WorkQueue } from "../runtime/queue.ts";
import type { Secrets } from "../secrets.ts";
import type { Watches } from "../watches.ts";
import type { Memories } from "./memory.ts";
import type { AccountNews } from "./news.ts";

type WakesOptions = {
  watches: Pick<Watches, "accounts" | "numbers">;
  secrets: Pick<Secrets, "follow">;
  register: Pick<Register, "get" | "follow">;
  news: AccountNews;
  memories: Memories;
  queue: WorkQueue;
  clock: Clock;
};

/** Must be called before anything is awaited, so that no change is missed. */
export function wakeAccounts(options: WakesOptions): void {
  const { watches, secrets, register, news, queue, memories, clock } = options;
  const { accounts, numbers } = watches;
  accounts.follow(({ type, object }) => {
    const isSettled = object.status?.observedGeneration === object.metadata.generation;
    // The backlog of a start.
    queue.add(keyOf(object.metadata), { priority: type === "added" && isSettled ? "background" : "normal" });
    if (type === "updated") return;
    // An account that was in use may be free now.
    for (const { metadata } of accounts.store.lookup("wabaId", object.spec.wabaId)) queue.add(keyOf(metadata));
  });
  numbers.follow((change) => {
    if (change.type === "updated" && change.before.metadata.generation === change.object.metadata.generation) return;
    queue.add(accountOf(change.object));
    if (change.type === "updated") queue.add(accountOf(change.before));
  });
  register.follow((phoneNumberId) => {
    for (const number of numbers.store.lookup("phoneNumberId", phoneNumberId)) noteConnection(options, number);
  });
  secrets.follow({
    referenced: () => Array.from(accounts.store.objects(), secretOf),
    onChange(secret) {
      for (const account of accounts.store.objects())
        if (secretOf(account) === secret) queue.add(keyOf(account.metadata));
    },
  });
  news.follow((wabaId) => {
    for (const { metadata } of accounts.store.lookup("wabaId", wabaId)) {
      memories.of(keyOf(metadata)).newsAtMs = clock.monotonicMs();
      queue.add(keyOf(metadata));
    }
  });
}

/** A connection matters to an account of which nothing is known, and where it and the account disagree about the token. */
function noteConnection({ register, memories, queue, clock }: WakesOptions, number: Stored<WhatsAppNumber>): void {
  const key = accountOf(number);
  const memory = memories.of(key);
  const answer = register.get(number.spec.phoneNumberId);
  const connection = answer.kind === "known" ? answer.value?.number.connection : undefined;
  if (memory.reading === undefined) return queue.add(key);
  if (connection?.connected !== true || number.spec.credentialsRef !== undefined) return;
  const { token } = memory.reading.facts;
  if (token.isForeign || (connection.standing === "token_refused") === token.isValid) {
    memory.newsAtMs = clock.monotonicMs();
    queue.add(key);
  }
}

function accountOf({ metadata, spec }: Stored<WhatsAppNumber>): Key {
  return `${metadata.namespace ?? ""}/${spec.accountRef.name}`;
}

function secretOf({ metadata, spec }: Stored<WhatsAppBusinessAccount>): Key {
  return `${metadata.namespace ?? ""}/${spec.credentialsRef.name}`;
}
