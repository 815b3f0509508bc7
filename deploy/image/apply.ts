// Makes the resources of a folder known to the services, by the calls that the operator makes on a cluster, then ends. For one
// server without Kubernetes: run again after a change of the folder. What an earlier run had declared is taken out again.
import { z } from "zod";
import { filePath, peerAddress, readEnv } from "#lib/config.ts";
import { ServiceError } from "#lib/errors.ts";
import { createClient } from "#lib/grpc.ts";
import { sleep } from "#lib/lifecycle.ts";
import { type Manifests, readManifests } from "#local/manifests.ts";
import { readUpstream, registerNumbers, registerSubscriptions, submitTemplates } from "#local/register.ts";
import { MessagesService } from "#proto/heliograph/messages/v1/messages_pb.ts";

const schema = z.object({
  /** The .yaml files of accounts, numbers, templates and subscriptions. */
  RESOURCES_DIR: filePath,
  /** A folder for each Secret with a file for each key, as pods get them; beside those that stand in RESOURCES_DIR. */
  SECRETS_DIR: filePath.optional(),
  MESSAGES_ADDRESS: peerAddress,
  TEMPLATES_ADDRESS: peerAddress,
  QUALITY_ADDRESS: peerAddress,
  WEBHOOKS_ADDRESS: peerAddress,
  /** How long services may take to answer, and then numbers to be connected. */
  WAIT_SECONDS: z.coerce.number().int().min(1).max(3_600).default(60),
});

const pollMs = 500;

/** Resolves to the exit code: 0, or 1 where WhatsApp could not be read. Rejects if the resources cannot be made known. */
export async function apply(
  env: Record<string, string | undefined>,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const config = readEnv(schema, env);
  const resources = readManifests(config.RESOURCES_DIR, config.SECRETS_DIR);
  const waiting = { waitMs: config.WAIT_SECONDS * 1_000, signal };
  await patiently(waiting, () => registerNumbers(config.MESSAGES_ADDRESS, resources));
  await patiently(waiting, () => registerSubscriptions(config.WEBHOOKS_ADDRESS, resources, (url) => url));
  const { accounts, numbers, subscriptions } = resources;
  tell(`applied: ${accounts.length} accounts, ${numbers.length} numbers, ${subscriptions.length} subscriptions`);
  const missing = await waitUntilConnected(config.MESSAGES_ADDRESS, resources, waiting);
  for (const name of missing) tell(`WhatsAppNumber/${name}: no connection process has it yet`);
  if (missing.length > 0) return 1;
  await readUpstream({ templates: config.TEMPLATES_ADDRESS, quality: config.QUALITY_ADDRESS }, resources);
  for (const line of await submitTemplates(config.TEMPLATES_ADDRESS, resources)) tell(line);
  return 0;
}

type Waiting = { waitMs: number; signal: AbortSignal };

/** Services may be starting: what cannot be reached is tried again, anything else is thrown. */
async function patiently(waiting: Waiting, task: () => Promise<void>): Promise<void> {
  const giveUpAt = performance.now() + waiting.waitMs;
  for (;;) {
    try {
      return await task();
    } catch (error) {
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      const isAway = ServiceError.from(cause).code === "UNAVAILABLE";
      if (!isAway || waiting.signal.aborted || performance.now() > giveUpAt) throw error;
      await sleep(pollMs, waiting.signal);
    }
  }
}

/** The names of numbers that should be connected and are not when the time is over. */
async function waitUntilConnected(address: string, { numbers }: Manifests, waiting: Waiting): Promise<string[]> {
  await using messages = createClient(MessagesService, address);
  const giveUpAt = performance.now() + waiting.waitMs;
  const wanted = numbers.filter(({ spec }) => spec.desiredState === "Connected");
  for (;;) {
    const known = (await messages.listNumbers({})).numbers;
    const connected = new Set(
      known.filter(({ connection }) => connection?.connected).map(({ phoneNumberId }) => phoneNumberId),
    );
    const missing = wanted.filter(({ spec }) => !connected.has(spec.phoneNumberId));
    if (missing.length === 0 || waiting.signal.aborted || performance.now() > giveUpAt)
      return missing.map(({ metadata }) => metadata.name);
    await sleep(pollMs, waiting.signal);
  }
}
