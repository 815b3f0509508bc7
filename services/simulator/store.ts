// WhatsApp's memory: accounts, numbers, templates, the users' phones, and every message. Lost with the process; GET /admin/state
// exports it. A message is about 0.4 kB, measured over a million rows (docs/simulator.md): nothing is forgotten before a reset,
// because the phones are the judge of every test.
import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import type { Bucket } from "./domain/bucket.ts";
import type { PricedCategory, Pricing } from "./domain/pricing.ts";
import { neverTried, type Registration } from "./domain/registration.ts";
import { planTemplate, templateKey, type TemplatePlan } from "./domain/template.ts";
import { fromWamid, toWamid } from "./domain/wamid.ts";
import type { AccountWorld, AppWorld, BusinessWorld, NumberWorld, TemplateWorld, World } from "./world.ts";

export type Business = Pick<BusinessWorld, "id" | "name" | "verificationStatus" | "messagingLimitTier"> & {
  accounts: Account[];
};

export type Account = Omit<AccountWorld, "numbers" | "templates"> & {
  business: Business;
  numbers: PhoneNumber[];
  /** By templateKey. */
  templates: Map<string, Template>;
  /** Instead of the app's webhook, for field `messages`. */
  overrideUrl: string | undefined;
  /** Times of the last hour at which templates were created. */
  creations: number[];
  /** Of deleted templates, by templateKey: until when (ms) the name may not be used again. */
  blockedNames: Map<string, number>;
};

export type PhoneNumber = Omit<NumberWorld, "id" | "pin"> & {
  phoneNumberId: string;
  wabaId: string;
  account: Account;
  registration: Registration;
  throughput: Bucket | undefined;
  /** Service messages delivered in a calendar month. */
  service: { month: string; delivered: number };
  /** By the user's digits. */
  chats: Map<string, Chat>;
};

export type Template = Omit<TemplateWorld, "category"> & {
  category: Exclude<PricedCategory, "SERVICE">;
  plan: TemplatePlan;
  /** Counts the edits, so that a review knows whether it is about the present text. */
  version: number;
  /** Times of the edits while it was approved. */
  edits: number[];
};

/** What passes between a number and a user. */
export type Chat = { lastInboundAt: number | undefined; pair: Bucket | undefined };

/** What a user's phone does by itself. Undefined: as the settings say. */
export type Behaviour = {
  deliverAfterMs: number;
  /** After delivery; null: read receipts are off. */
  readAfterMs: number | null;
  /** The user's answer to each message, after delivery. */
  reply: { afterMs: number; text: string } | null;
  offline: boolean;
  notOnWhatsApp: boolean;
};

export type Phone = {
  /** Digits with country code. */
  user: string;
  name: string;
  /** The business-scoped user id. */
  userId: string;
  own: Partial<Behaviour>;
  /** Messages that arrived, in that order. */
  received: OutboundMessage[];
  /** Messages that wait for the phone to come online. */
  waiting: OutboundMessage[];
  wrote: InboundMessage[];
};

/** From the business to a user. Times in ms, 0 for not yet. */
export type OutboundMessage = {
  inbound: false;
  seq: number;
  number: PhoneNumber;
  phone: Phone;
  type: string;
  /** What the user reads. */
  text: string;
  /** Empty for anything but a template: name|language. */
  template: string;
  category: PricedCategory;
  callbackData: string;
  contextWamid: string;
  /** The window at the time of acceptance. */
  windowOpen: boolean;
  pricing: Pricing | undefined;
  failsWith: number;
  acceptedAt: number;
  sentAt: number;
  deliveredAt: number;
  readAt: number;
  failedAt: number;
};

/** From a user to the business. */
export type InboundMessage = {
  inbound: true;
  seq: number;
  number: PhoneNumber;
  phone: Phone;
  type: string;
  content: unknown;
  at: number;
  /** When the business marked it as read, 0 for not yet. */
  readAt: number;
};

export type Message = OutboundMessage | InboundMessage;

export type Store = {
  readonly bootMs: number;
  app: AppWorld;
  businesses: Business[];
  accounts: Map<string, Account>;
  numbers: Map<string, PhoneNumber>;
  phones: Map<string, Phone>;
  /** `messages[i].seq` is `firstSeq + i`. */
  messages: Message[];
  firstSeq: number;
};

/** `bootMs` goes into every wamid, so that ids of an earlier run never come back. `firstSeq` continues after a reset. */
export function createStore(world: World, bootMs: number, firstSeq = 0): Store {
  const store: Store = {
    bootMs,
    app: { ...world.app },
    businesses: [],
    accounts: new Map(),
    numbers: new Map(),
    phones: new Map(),
    messages: [],
    firstSeq,
  };
  for (const { accounts, ...facts } of world.businesses) {
    const business: Business = { ...facts, accounts: [] };
    store.businesses.push(business);
    for (const account of accounts) business.accounts.push(insertAccount(store, business, account));
  }
  return store;
}

function insertAccount(store: Store, business: Business, { numbers, templates, ...facts }: AccountWorld): Account {
  const account: Account = {
    ...facts,
    business,
    numbers: [],
    templates: new Map(),
    overrideUrl: undefined,
    creations: [],
    blockedNames: new Map(),
  };
  store.accounts.set(account.id, account);
  for (const { id, pin, ...number } of numbers) {
    const made: PhoneNumber = {
      ...number,
      phoneNumberId: id,
      wabaId: account.id,
      account,
      registration: { ...neverTried, pin },
      throughput: undefined,
      service: { month: "", delivered: 0 },
      chats: new Map(),
    };
    account.numbers.push(made);
    store.numbers.set(id, made);
  }
  for (const template of templates) {
    const { category, parameter_format: parameterFormat, components } = template;
    const plan = planTemplate({ category, parameterFormat, components });
    account.templates.set(templateKey(template.name, template.language), { ...template, plan, version: 0, edits: [] });
  }
  return account;
}

/** By its id or its display number. */
export function loadNumber(store: Store, idOrDisplay: string): PhoneNumber | undefined {
  const found = store.numbers.get(idOrDisplay);
  if (found !== undefined) return found;
  for (const number of store.numbers.values()) if (number.displayPhoneNumber === idOrDisplay) return number;
  return undefined;
}

export function loadTemplate(account: Account, name: string, language: string): Template | undefined {
  return account.templates.get(templateKey(name, language));
}

/** By Meta's id. */
export function loadTemplateById(store: Store, id: string): { account: Account; template: Template } | undefined {
  for (const account of store.accounts.values()) {
    for (const template of account.templates.values()) if (template.id === id) return { account, template };
  }
  return undefined;
}

/** The user's phone; it comes into being when someone first thinks of it. */
export function getPhone(store: Store, user: string): Phone {
  const found = store.phones.get(user);
  if (found !== undefined) return found;
  const phone: Phone = {
    user,
    name: `User ${user.slice(-4)}`,
    userId: toUserId(user),
    own: {},
    received: [],
    waiting: [],
    wrote: [],
  };
  store.phones.set(user, phone);
  return phone;
}

/** Looks like Meta's (country, dot, digits), is the same at every run, and cannot be mistaken for the phone number. */
function toUserId(user: string): string {
  const country = parsePhoneNumberFromString(`+${user}`)?.country ?? "US";
  let hash = 7;
  for (const digit of user) hash = (hash * 31 + Number(digit)) % 1_000_000_007;
  return `${country}.13${String(hash).padStart(10, "0")}${user.slice(-3)}`;
}

export function getChat(number: PhoneNumber, user: string): Chat {
  const found = number.chats.get(user);
  if (found !== undefined) return found;
  const chat: Chat = { lastInboundAt: undefined, pair: undefined };
  number.chats.set(user, chat);
  return chat;
}

export function nextSeq(store: Store): number {
  return store.firstSeq + store.messages.length;
}

export function wamidOf(store: Store, { phone, inbound, seq }: Message): string {
  return toWamid({ user: phone.user, inbound, bootMs: store.bootMs, seq });
}

/** The message of an id; undefined for ids of other runs and other systems. */
export function loadMessage(store: Store, wamid: string): Message | undefined {
  const parts = fromWamid(wamid);
  if (parts === undefined || parts.bootMs !== store.bootMs) return undefined;
  const message = store.messages[parts.seq - store.firstSeq];
  return message?.phone.user === parts.user && message.inbound === parts.inbound ? message : undefined;
}

/** Counts one delivered service message and answers how many there were before it in that month. */
export function countService(number: PhoneNumber, month: string): void {
  if (number.service.month !== month) number.service = { month, delivered: 0 };
  number.service.delivered += 1;
}

export function serviceDelivered({ service }: PhoneNumber, month: string): number {
  return service.month === month ? service.delivered : 0;
}
