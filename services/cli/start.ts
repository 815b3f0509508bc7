// One command from its arguments to its exit code.
import { createLog } from "#lib/log.ts";
import { openTls } from "#lib/tls.ts";
import type { Action } from "./args.ts";
import { readArgs } from "./args.ts";
import { adopt } from "./commands/adopt.ts";
import { cancelCampaign, cancelOne } from "./commands/cancel.ts";
import { explain } from "./commands/explain.ts";
import { listMessages, showMessage } from "./commands/messages.ts";
import { recover } from "./commands/recover.ts";
import { runScript } from "./commands/script.ts";
import { send } from "./commands/send.ts";
import { status } from "./commands/status.ts";
import { tail } from "./commands/tail.ts";
import { trial } from "./commands/trial.ts";
import { readConfig } from "./config.ts";
import type { Context } from "./context.ts";
import { describe, exitCodeOf, exitCodes, UsageError } from "./errors.ts";
import { findPlaces } from "./places.ts";

export type CliOptions = Omit<Context, "places" | "tls" | "json"> & {
  args: readonly string[];
  env: Record<string, string | undefined>;
};

/** Never rejects: what fails is told on stderr. */
export async function runCli({ args, env, ...io }: CliOptions): Promise<number> {
  try {
    const invocation = readArgs(args, io.now());
    switch (invocation.kind) {
      case "help":
        io.out(invocation.text.trimEnd());
        return exitCodes.ok;
      case "script":
        return await runScript(invocation.script, invocation.args, io);
      case "action": {
        const config = readConfig(env, invocation.places);
        await using tls = openTls(config, { log: createLog({ service: "cli", level: "silent" }) });
        const places = findPlaces(config, process.cwd());
        return await perform(invocation.action, { ...io, places, tls, json: invocation.json });
      }
    }
  } catch (error) {
    if (io.signal.aborted) return exitCodes.interrupted;
    io.err(`heliograph: ${describe(error)}`);
    if (error instanceof UsageError) io.err("heliograph --help explains the commands");
    return exitCodeOf(error);
  }
}

function perform(action: Action, context: Context): Promise<number> {
  switch (action.command) {
    case "status":
      return status(context);
    case "messages":
      return listMessages(action.filter, context);
    case "message":
      return showMessage(action.messageId, context);
    case "send":
      return send(action.options, context);
    case "explain":
      return explain(action.options, context);
    case "cancelOne":
      return cancelOne(action.messageId, context);
    case "cancelCampaign":
      return cancelCampaign(action.campaign, action.number, context);
    case "tail":
      return tail(action, context);
    case "recover":
      return recover(action, context);
    case "adopt":
      return adopt(action.options, context);
    case "trial":
      return trial(action.options, context);
  }
}
