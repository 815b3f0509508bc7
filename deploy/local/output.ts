// What the terminal shows once all is up.
import type { Addresses } from "./addresses.ts";

export type Row = { what: string; address: string; pid: number | undefined; memoryBytes: number | undefined };

/** A table with a line for each row and one for the sum. */
export function tableOf(rows: readonly Row[]): string {
  const total = rows.reduce((sum, { memoryBytes }) => sum + (memoryBytes ?? 0), 0);
  const cells = [
    ["what", "address", "pid", "memory"],
    ...rows.map(({ what, address, pid, memoryBytes }) => [
      what,
      address,
      pid === undefined ? "-" : String(pid),
      mebibytes(memoryBytes),
    ]),
    ["total", "", "", mebibytes(total)],
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const isNumber = [false, false, true, true];
  const pad = (text: string, column: number): string => {
    const width = widths[column] ?? 0;
    return isNumber[column] === true ? text.padStart(width) : text.padEnd(width);
  };
  return cells.map((line) => line.map(pad).join("  ").trimEnd()).join("\n");
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? "-" : `${Math.round(bytes / 1_048_576)} MiB`;
}

type Commands = { addresses: Addresses; token: string; phoneNumberId: string; displayPhoneNumber: string };

// Numbers that are reserved for fiction: one that writes, one that never does.
const guest = "12025550123";
const stranger = "12025550145";

/** Three commands for a POSIX shell, to be pasted as they are, each under a line that says what it does. */
export function commandsOf({ addresses, token, phoneNumberId, displayPhoneNumber }: Commands): string {
  const send = (message: object): string =>
    curl(`${addresses.gateway}/v24.0/${phoneNumberId}/messages`, { messaging_product: "whatsapp", ...message }, token);
  return [
    "# a user writes to your number",
    curl(`${addresses.simulator}/admin/phones/${guest}/messages`, {
      to: displayPhoneNumber,
      type: "text",
      text: "Is my order ready?",
    }),
    "# you answer, over the Cloud API",
    send({ to: `+${guest}`, type: "text", text: { body: "It is. See you soon!" } }),
    "# you write first: to someone who never wrote, only an approved template may go",
    send({ to: `+${stranger}`, type: "template", template: { name: "hello_world", language: { code: "en_US" } } }),
  ].join("\n");
}

function curl(url: string, body: object, token?: string): string {
  const authorization = token === undefined ? "" : ` -H 'Authorization: Bearer ${token}'`;
  return `curl -sS '${url}'${authorization} -H 'Content-Type: application/json' -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'; echo`;
}
