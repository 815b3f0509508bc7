// The image's one entry: its first argument names the process, the others are that process' own.
import { checkHealth } from "./health.ts";

const processes = {
  gateway: () => import("../../services/gateway/main.ts"),
  messages: () => import("../../services/messages/main.ts"),
  templates: () => import("../../services/templates/main.ts"),
  billing: () => import("../../services/billing/main.ts"),
  quality: () => import("../../services/quality/main.ts"),
  webhooks: () => import("../../services/webhooks/main.ts"),
  connection: () => import("../../services/connection/main.ts"),
  operator: () => import("../../operator/main.ts"),
  simulator: () => import("../../services/simulator/main.ts"),
  receiver: () => import("./receiver.ts"),
  apply: () => import("./apply-main.ts"),
  cli: () => import("../../services/cli/main.ts"),
  health: async () => {
    process.exitCode = await checkHealth(process.env, process.argv[2]);
  },
} as const satisfies Record<string, () => Promise<unknown>>;

const help = `Usage: heliograph <process> [arguments]

  gateway, messages, templates, billing, quality, webhooks, connection, operator
                   one process of Heliograph; its environment is listed in its config.ts
  simulator        WhatsApp itself, for tests and first tries
  receiver         a webhook receiver for first tries
  apply            makes the resources of a folder known to the services, then ends
  cli              the command line: heliograph cli --help
  health [PATH]    asks the process of the same environment on HTTP_PORT for PATH (/readyz); exits 0 or 1
`;

function isProcess(name: string): name is keyof typeof processes {
  return Object.hasOwn(processes, name);
}

const [name = ""] = process.argv.splice(2, 1);
if (name === "--help" || name === "-h" || name === "help") process.stdout.write(help);
else if (isProcess(name)) await processes[name]();
else {
  const known = Object.keys(processes).join(", ");
  process.stderr.write(
    name === ""
      ? `no process is named: expected one of ${known}\n`
      : `no process is named ${name}: expected one of ${known}\n`,
  );
  process.exitCode = 2;
}
