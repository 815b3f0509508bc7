import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { commandsOf, tableOf } from "./output.ts";

test("the table has a line for each process and the sum, numbers to the right", () => {
  const table = tableOf([
    { what: "gateway", address: "http://127.0.0.1:8400", pid: 812, memoryBytes: 90 * 1_048_576 },
    { what: "connection-orders", address: "127.0.0.1:8431", pid: undefined, memoryBytes: undefined },
  ]);
  assert.equal(
    table,
    [
      "what               address                pid  memory",
      "gateway            http://127.0.0.1:8400  812  90 MiB",
      "connection-orders  127.0.0.1:8431           -       -",
      "total                                          90 MiB",
    ].join("\n"),
  );
});

test("the commands are taken by a shell as they are, and carry address, token and JSON", () => {
  const commands = commandsOf({
    addresses: { gateway: "http://g:1", simulator: "http://s:2", receiver: "http://r:3" },
    token: "t0ken",
    phoneNumberId: "1065",
    displayPhoneNumber: "15550100001",
  });
  const script = `curl() { printf '%s\\n' "$@"; }\n${commands}`;
  const said = execFileSync("sh", ["-c", script], { encoding: "utf8" })
    .split("\n")
    .filter((word) => word !== "");
  assert.deepEqual(
    said.filter((word) => word.startsWith("http://")),
    [
      "http://s:2/admin/phones/12025550123/messages",
      "http://g:1/v24.0/1065/messages",
      "http://g:1/v24.0/1065/messages",
    ],
  );
  assert.equal(said.filter((word) => word === "Authorization: Bearer t0ken").length, 2);
  const bodies = said.filter((word) => word.startsWith("{")).map((word): unknown => JSON.parse(word));
  assert.deepEqual(bodies[0], { to: "15550100001", type: "text", text: "Is my order ready?" });
  assert.deepEqual(bodies[2], {
    messaging_product: "whatsapp",
    to: "+12025550145",
    type: "template",
    template: { name: "hello_world", language: { code: "en_US" } },
  });
});
