import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, help, type Options, readOptions } from "./args.ts";

const folders = { caller: "/home/me/clone/sub", project: "/home/me/clone" };

const usual: Options = {
  ports: { base: 8_400 },
  host: "127.0.0.1",
  dataFolder: "/home/me/clone/.heliograph",
  numbersFolder: "/home/me/clone/deploy/samples",
  webhookUrl: undefined,
  isFresh: false,
  isQuiet: false,
};

const good: [sentence: string, args: string[], options: Options | "help"][] = [
  ["nothing given: the defaults, in the project", [], usual],
  ["help before all else", ["--fresh", "--help"], "help"],
  [
    "relative paths count from where the command was given",
    ["--data", "d", "--numbers", "../n"],
    { ...usual, dataFolder: "/home/me/clone/sub/d", numbersFolder: "/home/me/clone/n" },
  ],
  [
    "ports by base and one by one",
    ["--port-base", "9000", "--gateway-port=80", "--nats-port", "4222"],
    { ...usual, ports: { base: 9_000, gateway: 80, nats: 4_222 } },
  ],
  [
    "switches and an address of one's own",
    ["--fresh", "--quiet", "--host", "0.0.0.0", "--webhook", "https://example.com/hook"],
    { ...usual, isFresh: true, isQuiet: true, host: "0.0.0.0", webhookUrl: "https://example.com/hook" },
  ],
];
for (const [sentence, args, options] of good) {
  test(sentence, () => assert.deepEqual(readOptions(args, folders), options));
}

const hint = "(npm start -- --help explains the options)";
const bad: [sentence: string, args: string[], message: string][] = [
  ["an option that is not known", ["--prot-base", "1"], `unknown option '--prot-base' ${hint}`],
  ["a word that is no option", ["fresh"], `unexpected argument 'fresh' ${hint}`],
  ["a missing value", ["--data"], `option '--data <value>' argument missing ${hint}`],
  ["a port that is none", ["--nats-port", "70000"], '--nats-port must be a port, 1 to 65535, not "70000"'],
  ["an address with a blank", ["--host", "a b"], '--host must be an address or a host name, not "a b"'],
  [
    "a webhook that is no URL",
    ["--webhook", "example.com"],
    '--webhook must be an http or https URL, not "example.com"',
  ],
];
for (const [sentence, args, message] of bad) {
  test(`refused in one line: ${sentence}`, () => {
    assert.throws(
      () => readOptions(args, folders),
      (error) => error instanceof ArgumentError && error.message === message,
    );
  });
}

test("the help names every option", () => {
  const names = [
    "numbers",
    "webhook",
    "data",
    "fresh",
    "host",
    "port-base",
    "gateway-port",
    "simulator-port",
    "receiver-port",
  ];
  for (const name of [...names, "postgres-port", "nats-port", "quiet", "help"])
    assert.match(help, new RegExp(`^ {2}--${name} `, "m"));
});
