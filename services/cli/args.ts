// The command line → what is to be done. The command comes first; nothing is asked or read here.
import { parseArgs, type ParseArgsConfig } from "node:util";
import type { MessageState } from "#proto/heliograph/messages/v1/messages_pb.ts";
import {
  type AdoptOptions,
  digitsOf,
  durationMs,
  limitOf,
  listenOf,
  messageIdOf,
  type Parameter,
  parameterOf,
  stateOf,
  timeOf,
} from "./arg-values.ts";
import { UsageError } from "./errors.ts";
import { helpTexts } from "./help.ts";
import {
  everywhere,
  explainOptions,
  filterOptions,
  flag,
  placeNames,
  sendOptions,
  text,
  trialOptions,
} from "./options.ts";

export type Filter = {
  number: string | undefined;
  /** Digits. */
  to: string | undefined;
  state: MessageState | undefined;
  template: string | undefined;
  campaign: string | undefined;
  since: Date | undefined;
  limit: number;
};

export type Outgoing =
  | { kind: "text"; text: string }
  | { kind: "template"; template: string; language: string; parameters: Parameter[] };

export type SendOptions = {
  number: string;
  /** Digits. */
  to: string;
  message: Outgoing;
  lane: "reply" | "bulk" | undefined;
  campaign: string | undefined;
  ttlSeconds: number | undefined;
  idempotencyKey: string | undefined;
  /** Undefined: does not wait. */
  waitMs: number | undefined;
};

export type ExplainOptions = Pick<SendOptions, "number" | "message" | "lane" | "ttlSeconds"> & {
  /** Digits. */
  to: string[];
  /** A file with a phone number in each line. */
  toFile: string | undefined;
};

export type TrialOptions = {
  number: string;
  /** Base URL of the simulator. */
  simulator: string;
  /** Where the webhooks of the number are taken. */
  listen: { host: string; port: number };
  timeoutMs: number;
};

export type Action =
  | { command: "status" }
  | { command: "messages"; filter: Filter }
  | { command: "message"; messageId: string }
  | { command: "send"; options: SendOptions }
  | { command: "explain"; options: ExplainOptions }
  | { command: "cancelOne"; messageId: string }
  | { command: "cancelCampaign"; campaign: string; number: string }
  | { command: "tail"; number: string | undefined; isFull: boolean }
  | { command: "recover"; since: Date; isSure: boolean }
  | { command: "adopt"; options: AdoptOptions }
  | { command: "trial"; options: TrialOptions };

export type Invocation =
  | { kind: "help"; text: string }
  /** A program of the clone, with the rest of the line. */
  | { kind: "script"; script: "chaos" | "bench"; args: string[] }
  /** `places` are the flags by the names of the variables that they stand for. */
  | { kind: "action"; action: Action; json: boolean; places: Record<string, string> };

/** Throws UsageError. `now` is what --since counts from. */
export function readArgs([command, ...rest]: readonly string[], now: Date): Invocation {
  switch (command) {
    case undefined:
      throw new UsageError(
        "a command is missing: status, messages, send, explain, cancel, tail, recover, adopt, trial, chaos or bench",
      );
    case "--help":
    case "-h":
    case "help":
      return { kind: "help", text: helpTexts.overview };
    case "chaos":
    case "bench":
      return { kind: "script", script: command, args: rest };
    case "status":
      return readAction(command, rest, {}, () => ({ command }));
    case "messages":
      return readAction(command, rest, filterOptions, (values, positionals) => readMessages(values, positionals, now));
    case "send":
      return readAction(command, rest, sendOptions, (values) => ({ command, options: readSend(values) }));
    case "explain":
      return readAction(command, rest, explainOptions, (values) => ({ command, options: readExplain(values) }));
    case "cancel":
      return readAction(command, rest, { campaign: text, number: text }, readCancel);
    case "tail":
      return readAction(command, rest, { number: text, full: flag }, ({ number, full }) => ({
        command,
        number: word(number),
        isFull: full === true,
      }));
    case "recover":
      return readAction(command, rest, { since: text, yes: flag }, (values) => ({
        command,
        since: timeOf(needed("since", values), now),
        isSure: values["yes"] === true,
      }));
    case "adopt":
      return readAction(command, rest, { account: text, name: text, secret: text, out: text }, readAdopt);
    case "trial":
      return readAction(command, rest, trialOptions, (values) => ({ command, options: readTrial(values) }));
    default:
      throw new UsageError(`there is no command ${command}`);
  }
}

type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

/** Commands that take an argument beside their options. */
const withArgument = new Set(["messages", "cancel"]);

function readAction(
  command: keyof typeof helpTexts,
  args: string[],
  options: NonNullable<ParseArgsConfig["options"]>,
  read: (values: Values, positionals: string[]) => Action,
): Invocation {
  const { values, positionals } = parse(args, { ...options, ...everywhere });
  if (values["help"] === true) return { kind: "help", text: helpTexts[command] };
  const [tooMuch] = positionals.slice(withArgument.has(command) ? 1 : 0);
  if (tooMuch !== undefined) throw new UsageError(`unexpected argument ${tooMuch}`);
  const places = Object.entries(placeNames).flatMap(([option, variable]) => {
    const value = word(values[option]);
    return value === undefined ? [] : [[variable, value] as const];
  });
  const action = read(values, positionals);
  return { kind: "action", action, json: values["json"] === true, places: Object.fromEntries(places) };
}

function parse(args: string[], options: NonNullable<ParseArgsConfig["options"]>) {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: true });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const [what = ""] = error.message.split(/\. |\n/);
    throw new UsageError(what.charAt(0).toLowerCase() + what.slice(1), { cause: error });
  }
}

function readMessages(values: Values, [id]: string[], now: Date): Action {
  if (id !== undefined) {
    const filter = Object.keys(filterOptions).find((name) => values[name] !== undefined);
    if (filter !== undefined) throw new UsageError(`--${filter} is for the list; ${id} names one message`);
    return { command: "message", messageId: messageIdOf(id) };
  }
  const state = word(values["state"]);
  const to = word(values["to"]);
  const since = word(values["since"]);
  const filter = {
    number: word(values["number"]),
    to: to === undefined ? undefined : digitsOf(to),
    state: state === undefined ? undefined : stateOf(state),
    template: word(values["template"]),
    campaign: word(values["campaign"]),
    since: since === undefined ? undefined : timeOf(since, now),
    limit: limitOf(word(values["limit"]) ?? "20"),
  };
  return { command: "messages", filter };
}

function readCancel(values: Values, [id]: string[]): Action {
  const campaign = word(values["campaign"]);
  const number = word(values["number"]);
  if (id !== undefined) {
    if (campaign !== undefined || number !== undefined)
      throw new UsageError("cancel takes a message's id, or --campaign and --number, not both");
    return { command: "cancelOne", messageId: messageIdOf(id) };
  }
  if (campaign === undefined || number === undefined)
    throw new UsageError("cancel needs a message's id, or --campaign and --number");
  return { command: "cancelCampaign", campaign, number };
}

function readSend(values: Values): SendOptions {
  if (values["timeout"] !== undefined && values["wait"] !== true) throw new UsageError("--timeout is for --wait");
  const waitMs = durationMs("timeout", word(values["timeout"]) ?? "60s");
  return {
    number: needed("number", values),
    to: digitsOf(needed("to", values)),
    message: readOutgoing(values),
    ...readHandling(values),
    campaign: word(values["campaign"]),
    idempotencyKey: word(values["idempotency-key"]),
    waitMs: values["wait"] === true ? waitMs : undefined,
  };
}

function readExplain(values: Values): ExplainOptions {
  const to = words(values["to"]).map(digitsOf);
  const toFile = word(values["to-file"]);
  if ((to.length === 0) === (toFile === undefined))
    throw new UsageError("explain needs --to or --to-file, and not both");
  return { number: needed("number", values), to, toFile, message: readOutgoing(values), ...readHandling(values) };
}

function readHandling(values: Values): Pick<SendOptions, "lane" | "ttlSeconds"> {
  const lane = word(values["lane"]);
  const ttl = word(values["ttl"]);
  if (lane !== undefined && lane !== "reply" && lane !== "bulk")
    throw new UsageError(`--lane must be reply or bulk, not ${lane}`);
  return { lane, ttlSeconds: ttl === undefined ? undefined : durationMs("ttl", ttl) / 1_000 };
}

function readTrial(values: Values): TrialOptions {
  return {
    number: needed("number", values),
    simulator: needed("simulator", values),
    listen: listenOf(needed("listen", values)),
    timeoutMs: durationMs("timeout", word(values["timeout"]) ?? "3m"),
  };
}

function readAdopt({ account, name, secret, out }: Values): Action {
  return {
    command: "adopt",
    options: { wabaId: word(account), name: word(name), secret: word(secret), folder: word(out) },
  };
}

function readOutgoing(values: Values): Outgoing {
  const [body, template] = [word(values["text"]), word(values["template"])];
  const parameters = words(values["param"]).map(parameterOf);
  if ((body === undefined) === (template === undefined))
    throw new UsageError("a message needs --text or --template, and not both");
  if (template !== undefined) {
    const named = parameters.filter(({ name }) => name !== undefined);
    if (named.length > 0 && named.length < parameters.length)
      throw new UsageError("--param: all of a template's parameters have names, or none has");
    return { kind: "template", template, language: needed("language", values), parameters };
  }
  const foreign = ["language", "param"].find((name) => values[name] !== undefined);
  if (foreign !== undefined) throw new UsageError(`--${foreign} is for --template`);
  return { kind: "text", text: body ?? "" };
}

function word(value: Values[string]): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function words(value: Values[string]): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function needed(option: string, values: Values): string {
  const value = word(values[option]);
  if (value === undefined || value === "") throw new UsageError(`--${option} is missing`);
  return value;
}
