// Which subscriptions want which news. An empty list in a subscription means "all of them".

export type EventKind = "messages" | "statuses" | "account";

/** Where a piece of news comes from. News of the account carries no number. */
export type Origin = { kind: EventKind; phoneNumberId: string | undefined; wabaId: string };

export type Filter = {
  events: readonly EventKind[];
  phoneNumberIds: readonly string[];
  wabaIds: readonly string[];
};

/**
 * News of a number must be of a listed number and of a listed account. News of an account goes by the account alone, and to a
 * subscription that lists numbers only if it lists the account too: who asked for one number must not see a whole account.
 */
export function wants(filter: Filter, origin: Origin): boolean {
  if (!includesOrAll(filter.events, origin.kind)) return false;
  if (origin.phoneNumberId === undefined) {
    return filter.wabaIds.length === 0 ? filter.phoneNumberIds.length === 0 : filter.wabaIds.includes(origin.wabaId);
  }
  return includesOrAll(filter.phoneNumberIds, origin.phoneNumberId) && includesOrAll(filter.wabaIds, origin.wabaId);
}

function includesOrAll<T>(list: readonly T[], value: T): boolean {
  return list.length === 0 || list.includes(value);
}
