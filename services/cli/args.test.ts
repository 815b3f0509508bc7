import assert from "node:assert/strict";
import { test } from "node:test";
import { toWamid } from "#dialects/message-id.ts";
import { MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type Action, type Filter, type Invocation, readArgs, type SendOptions } from "./args.ts";
import { UsageError } from "./errors.ts";

const now = new Date("2026-11-23T12:00:00Z");
const messageId = "01935940-0000-7000-8000-000000000001";

function action(one: Action, rest: { json?: boolean; places?: Record<string, string> } = {}): Invocation {
  return { kind: "action", action: one, json: false, places: {}, ...rest };
}

const everything: Filter = {
  number: undefined,
  to: undefined,
  state: undefined,
  template: undefined,
  campaign: undefined,
  since: undefined,
  limit: 20,
};
const list = (changes: Partial<Filter> = {}): Invocation =>
  action({ command: "messages", filter: { ...everything, ...changes } });

const plain: SendOptions = {
  number: "orders",
  to: "12025550123",
  message: { kind: "text", text: "Hi" },
  lane: undefined,
  campaign: undefined,
  ttlSeconds: undefined,
  idempotencyKey: undefined,
  waitMs: undefined,
};
const sent = (changes: Partial<SendOptions> = {}): Invocation =>
  action({ command: "send", options: { ...plain, ...changes } });
const textTo = ["send", "--number", "orders", "--to", "+1 202 555 0123", "--text", "Hi"];
const templateTo = ["send", "--number", "orders", "--to", "12025550123", "--template", "t", "--language", "de"];

function template(...parameters: [name: string | undefined, value: string][]): Invocation {
  const given = parameters.map(([name, value]) => ({ name, value }));
  return sent({ message: { kind: "template", template: "t", language: "de", parameters: given } });
}

const understood: [sentence: string, args: string[], Invocation][] = [
  [
    "recover, which does nothing yet",
    ["recover", "--since", "2026-11-23T10:00:00Z"],
    action({ command: "recover", since: new Date("2026-11-23T10:00:00Z"), isSure: false }),
  ],
  [
    "recover in earnest, by a length of time",
    ["recover", "--since", "10m", "--yes"],
    action({ command: "recover", since: new Date("2026-11-23T11:50:00Z"), isSure: true }),
  ],
  ["status", ["status"], action({ command: "status" })],
  ["--json of any command", ["status", "--json"], action({ command: "status" }, { json: true })],
  [
    "places by the names of their variables",
    ["status", "--data", "d", "--messages", "h:1", "--token-file=f"],
    action({ command: "status" }, { places: { HELIOGRAPH_DATA: "d", MESSAGES_ADDRESS: "h:1", API_TOKEN_FILE: "f" } }),
  ],
  ["messages without filters", ["messages"], list()],
  [
    "messages by every filter",
    ["messages", "--number", "7", "--to", "+12025550123", "--state", "failed", "--template", "t", "--campaign", "c"],
    list({ number: "7", to: "12025550123", state: MessageState.FAILED, template: "t", campaign: "c" }),
  ],
  ["--since as a length of time", ["messages", "--since", "2h"], list({ since: new Date("2026-11-23T10:00:00Z") })],
  [
    "--since as a time",
    ["messages", "--since", "2026-11-22T10:00:00Z"],
    list({ since: new Date("2026-11-22T10:00:00Z") }),
  ],
  ["--limit", ["messages", "--limit", "500"], list({ limit: 500 })],
  ["one message by its UUID", ["messages", messageId.toUpperCase()], action({ command: "message", messageId })],
  ["one message by its wamid", ["messages", toWamid(messageId)], action({ command: "message", messageId })],
  ["a text", textTo, sent()],
  [
    "a text with all that goes with it",
    [...textTo, "--lane", "bulk", "--campaign", "c", "--ttl", "15m", "--idempotency-key", "k"],
    sent({ lane: "bulk", campaign: "c", ttlSeconds: 900, idempotencyKey: "k" }),
  ],
  ["--wait for a minute", [...textTo, "--wait"], sent({ waitMs: 60_000 })],
  ["--wait for as long as one says", [...textTo, "--wait", "--timeout", "5s"], sent({ waitMs: 5_000 })],
  ["a template without parameters", templateTo, template()],
  [
    "parameters in order",
    [...templateTo, "--param", "Anna", "--param", "5 €"],
    template([undefined, "Anna"], [undefined, "5 €"]),
  ],
  ["parameters by name", [...templateTo, "--param", "first_name=A=B"], template(["first_name", "A=B"])],
  [
    "a parameter in order that looks like a named one",
    [...templateTo, "--param", "=a=b"],
    template([undefined, "a=b"]),
  ],
  ["cancel one", ["cancel", messageId], action({ command: "cancelOne", messageId })],
  [
    "cancel a campaign",
    ["cancel", "--campaign", "c", "--number", "orders"],
    action({ command: "cancelCampaign", campaign: "c", number: "orders" }),
  ],
  ["tail", ["tail"], action({ command: "tail", number: undefined, isFull: false })],
  ["tail of one number", ["tail", "--number", "7", "--full"], action({ command: "tail", number: "7", isFull: true })],
  [
    "adopt",
    ["adopt", "--account", "102", "--out", "d", "--templates", "h:1"],
    action(
      { command: "adopt", options: { wabaId: "102", name: undefined, secret: undefined, folder: "d" } },
      { places: { TEMPLATES_ADDRESS: "h:1" } },
    ),
  ],
  [
    "the options of a program of the clone are its own",
    ["chaos", "--seed", "7", "--help"],
    { kind: "script", script: "chaos", args: ["--seed", "7", "--help"] },
  ],
];
for (const [sentence, args, expected] of understood) {
  test(`understood: ${sentence}`, () => assert.deepEqual(readArgs(args, now), expected));
}

for (const args of [["--help"], ["-h"], ["help"], ["send", "--help"], ["tail", "-h"]]) {
  test(`help: ${args.join(" ")}`, () => assert.equal(readArgs(args, now).kind, "help"));
}

const refused: [sentence: string, args: string[], words: RegExp][] = [
  ["nothing", [], /a command is missing/],
  ["an unknown command", ["sned"], /no command sned/],
  ["an unknown option", ["status", "--jason"], /unknown option '--jason'/i],
  ["an option without its value", ["tail", "--number"], /'--number <value>' argument missing/i],
  ["an argument too many", ["status", "now"], /unexpected argument now/],
  ["two ids", ["messages", messageId, messageId], /unexpected argument/],
  ["WhatsApp's id of an inbound message", ["messages", "wamid.HBgL"], /no id of a message/],
  ["a filter beside an id", ["messages", messageId, "--state", "sent"], /--state is for the list/],
  ["an unknown state", ["messages", "--state", "lost"], /--state must be one of accepted, .*; not lost/],
  ["no count", ["messages", "--limit", "0"], /--limit must be a count/],
  ["no time", ["messages", "--since", "yesterday"], /--since must be/],
  ["no phone number", ["messages", "--to", "123"], /--to must be a phone number/],
  ["send without a number", ["send", "--to", "12025550123", "--text", "Hi"], /--number is missing/],
  ["send with nothing to send", textTo.slice(0, -2), /needs --text or --template/],
  ["send with both", [...textTo, "--template", "t"], /not both/],
  ["a template without its language", templateTo.slice(0, -2), /--language is missing/],
  ["a text with a language", [...textTo, "--language", "de"], /--language is for --template/],
  ["a text with parameters", [...textTo, "--param", "x"], /--param is for --template/],
  ["some parameters with names", [...templateTo, "--param", "a=b", "--param", "c"], /--param/],
  ["an unknown lane", [...textTo, "--lane", "fast"], /--lane must be reply or bulk/],
  ["a TTL without a unit", [...textTo, "--ttl", "15"], /--ttl must be a length of time/],
  ["--timeout alone", [...textTo, "--timeout", "5s"], /--timeout is for --wait/],
  ["cancel of nothing", ["cancel"], /needs a message's id/],
  ["cancel of a campaign of every number", ["cancel", "--campaign", "c"], /needs a message's id/],
  ["cancel of both", ["cancel", messageId, "--number", "7"], /not both/],
];
for (const [sentence, args, words] of refused) {
  test(`refused: ${sentence}`, () => {
    assert.throws(
      () => readArgs(args, now),
      (error) => error instanceof UsageError && words.test(error.message),
    );
  });
}
