// Which numbers a change is of interest to. Handlers only compute keys: what is to be done is decided when a number is looked at.
import type { WhatsAppNumber } from "../api/v1alpha1/whatsapp-number.ts";
import type { Stored } from "../kinds.ts";
import { annotations } from "../names.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Key, keyOf } from "../runtime/objects.ts";
import type { WorkQueue } from "../runtime/queue.ts";
import type { Change } from "../runtime/store.ts";
import type { Secrets } from "../secrets.ts";
import type { Watches } from "../watches.ts";
import type { Memories } from "./memory.ts";
import type { Register } from "./register.ts";

type WakesOptions = {
  watches: Pick<Watches, "numbers" | "accounts" | "classes" | "pods" | "nodes">;
  secrets: Pick<Secrets, "follow">;
  register: Pick<Register, "follow">;
  memories: Memories;
  queue: WorkQueue;
  clock: Clock;
};

/** Must be called before anything is awaited, so that no change is missed. */
export function wakeNumbers({ watches, secrets, register, memories, queue, clock }: WakesOptions): void {
  const { numbers, accounts, classes, pods, nodes } = watches;
  const wakeAll = (found: readonly Stored<WhatsAppNumber>[]): void => {
    for (const { metadata } of found) queue.add(keyOf(metadata));
  };
  numbers.follow((change) => {
    const key = keyOf(change.object.metadata);
    if (change.type === "updated" && isEdited(change)) memories.of(key).editedAtMs ??= clock.monotonicMs();
    if (change.type === "updated" && isOurOwn(change)) return;
    queue.add(key, { priority: priorityOf(change) });
    if (change.type === "updated") return;
    // A number that was in use may be free now.
    const { phoneNumber, phoneNumberId } = change.object.spec;
    wakeAll(numbers.store.lookup("phoneNumber", phoneNumber));
    wakeAll(numbers.store.lookup("phoneNumberId", phoneNumberId));
  });
  accounts.follow((change) => {
    if (change.type === "updated" && change.before.metadata.generation === change.object.metadata.generation) return;
    wakeAll(numbers.store.lookup("account", keyOf(change.object.metadata)));
  });
  classes.follow((change) => {
    const isQuiet =
      change.type === "updated" &&
      change.before.metadata.generation === change.object.metadata.generation &&
      isDefault(change.before) === isDefault(change.object);
    if (isQuiet) return;
    wakeAll(numbers.store.lookup("class", change.object.metadata.name));
    wakeAll(numbers.store.lookup("class", ""));
  });
  pods.follow(({ type, object }) => {
    if (type === "deleted" && object.isEnded && object.isDeleting) memories.noteEnd(object.metadata.uid);
    queue.add(object.number);
  });
  nodes.follow((change) => {
    const { object } = change;
    const isQuiet =
      change.type === "updated" &&
      change.before.isLost === object.isLost &&
      change.before.isDraining === object.isDraining;
    if (isQuiet) return;
    for (const { number } of pods.store.lookup("node", object.metadata.name)) queue.add(number);
  });
  register.follow((phoneNumberId) => wakeAll(numbers.store.lookup("phoneNumberId", phoneNumberId)));
  secrets.follow({
    referenced: () => referencedSecrets(watches),
    onChange(secret) {
      for (const number of numbers.store.objects()) {
        if (secretsOf(number, watches).includes(secret)) queue.add(keyOf(number.metadata));
      }
    },
  });
}

type Updated<T> = Extract<Change<T>, { type: "updated" }>;

function isEdited({ before, object }: Updated<Stored<WhatsAppNumber>>): boolean {
  return before.metadata.generation !== object.metadata.generation;
}

/** Only the status changed, or who owns what: written by us, and known. */
function isOurOwn({ before, object }: Updated<Stored<WhatsAppNumber>>): boolean {
  const watched = ({ metadata, status }: Stored<WhatsAppNumber>): string =>
    JSON.stringify([
      metadata.generation,
      metadata.deletionTimestamp,
      metadata.finalizers,
      metadata.annotations,
      status?.connection?.epoch,
    ]);
  return watched(before) === watched(object);
}

function priorityOf({ type, object }: Change<Stored<WhatsAppNumber>>): "urgent" | "normal" | "background" {
  const isUrgent =
    type === "deleted" ||
    object.metadata.deletionTimestamp !== undefined ||
    object.metadata.annotations?.[annotations.fence] !== undefined;
  if (isUrgent) return "urgent";
  // The backlog of a start.
  const isSettled = object.status?.observedGeneration === object.metadata.generation;
  return type === "added" && isSettled ? "background" : "normal";
}

function isDefault({ metadata }: Stored<{ metadata: object }>): boolean {
  return metadata.annotations?.[annotations.isDefaultClass] === "true";
}

function* referencedSecrets(watches: Pick<Watches, "numbers" | "accounts">): Generator<Key> {
  for (const number of watches.numbers.store.objects()) yield* secretsOf(number, watches);
}

function secretsOf({ metadata, spec }: Stored<WhatsAppNumber>, { accounts }: Pick<Watches, "accounts">): Key[] {
  const { namespace = "" } = metadata;
  const account = accounts.store.get(`${namespace}/${spec.accountRef.name}`);
  const token = spec.credentialsRef?.name ?? account?.spec.credentialsRef.name;
  const names = [token, spec.registration?.pinRef.name].filter((name) => name !== undefined);
  return names.map((name) => `${namespace}/${name}`);
}
