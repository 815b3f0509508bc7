// How the numbers do, and the processes of a local run.
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import {
  MessagesService,
  MessageState,
  type Number as PhoneNumber,
} from "#proto/heliograph/messages/v1/messages_pb.ts";
import { type NumberQuality, QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { Context } from "../context.ts";
import { describe, exitCodes } from "../errors.ts";
import { lookAt, type ProcessState } from "../processes.ts";
import { json, table } from "../render.ts";
import { timeText } from "../wire.ts";

/** A part that did not answer is told on stderr and shows as a dash; without the messages service the command fails. */
export async function status(context: Context): Promise<number> {
  const { places, out, err } = context;
  const processes = await Promise.all(places.processes.map(lookAt));
  const numbers = await loadNumbers(context).catch((error: unknown) => {
    err(`heliograph: numbers are not known: ${describe(error)}`);
    return undefined;
  });
  if (context.json) out(json({ numbers: numbers?.map(numberJson) ?? null, processes: processes.map(processJson) }));
  else {
    const parts = [numbers && numbersText(numbers), processes.length > 0 && processesText(processes)];
    const told = parts.filter((part) => typeof part === "string").join("\n\n");
    if (told !== "") out(told);
  }
  return numbers === undefined ? exitCodes.failed : exitCodes.ok;
}

/** Messages accepted or waiting; `isMore`: at least so many. */
type Queue = { count: number; isMore: boolean };
type NumberStatus = { number: PhoneNumber; queue: Queue | undefined; quality: NumberQuality | undefined };

async function loadNumbers({ places, tls, signal, err }: Context): Promise<NumberStatus[]> {
  await using messages = createClient(MessagesService, places.messages(), { tls: tls.grpc });
  const { numbers } = await messages.listNumbers({}, { signal });
  await using quality = createClient(QualityService, places.quality(), { tls: tls.grpc });
  const complaints = new Set<string>();
  const orDash = async <T>(what: string, answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await answer;
    } catch (error) {
      const isNothingKnown = error instanceof ServiceError && error.code === "NOT_FOUND";
      if (!isNothingKnown) complaints.add(`heliograph: ${what} is not known: ${describe(error)}`);
      return undefined;
    }
  };
  const statuses = numbers.map(async (number) => {
    const { phoneNumberId } = number;
    const [queue, found] = await Promise.all([
      orDash("what waits", countQueue(messages, phoneNumberId, signal)),
      orDash("quality", quality.getNumberQuality({ phoneNumberId }, { signal })),
    ]);
    return { number, queue, quality: found?.quality };
  });
  const loaded = await Promise.all(statuses);
  for (const complaint of complaints) err(complaint);
  return loaded;
}

const countedAtMost = 100;

async function countQueue(
  messages: Pick<Client<typeof MessagesService>, "listMessages">,
  phoneNumberId: string,
  signal: AbortSignal,
): Promise<Queue> {
  const request = { phoneNumberId, pageSize: countedAtMost };
  const pages = await Promise.all([
    messages.listMessages({ ...request, state: MessageState.ACCEPTED }, { signal }),
    messages.listMessages({ ...request, state: MessageState.WAITING }, { signal }),
  ]);
  return {
    count: pages.reduce((sum, page) => sum + page.messages.length, 0),
    isMore: pages.some(({ nextPageToken }) => nextPageToken !== ""),
  };
}

function numbersText(numbers: readonly NumberStatus[]): string {
  if (numbers.length === 0) return "no numbers are declared";
  return table(numbers, [
    { title: "number", of: ({ number }) => number.name },
    { title: "id", of: ({ number }) => number.phoneNumberId },
    { title: "phone", of: ({ number }) => `+${number.displayPhoneNumber}` },
    { title: "connected", of: ({ number }) => (number.connection?.connected === true ? "yes" : "no") },
    { title: "term", of: ({ number }) => String(number.connection?.term ?? ""), isNumber: true },
    { title: "since", of: ({ number }) => timeText(number.connection?.since) },
    { title: "cause", of: ({ number }) => number.connection?.cause ?? "" },
    { title: "standing", of: ({ number }) => standingOf(number) },
    { title: "waiting", of: ({ queue }) => (queue ? `${queue.count}${queue.isMore ? "+" : ""}` : ""), isNumber: true },
    { title: "quality", of: ({ quality }) => quality?.qualityRating ?? "" },
    { title: "limit", of: ({ quality }) => limitOf(quality), isNumber: true },
    { title: "used", of: ({ quality }) => String(quality?.used ?? ""), isNumber: true },
  ]);
}

function standingOf({ connection }: PhoneNumber): string {
  return connection?.connected === true ? connection.standing || "sends" : "";
}

function limitOf(quality: NumberQuality | undefined): string {
  if (quality === undefined) return "";
  return quality.messagingLimit === undefined ? "unlimited" : String(quality.messagingLimit);
}

function processesText(processes: readonly ProcessState[]): string {
  return table(processes, [
    { title: "process", of: ({ name }) => name },
    { title: "state", of: ({ state }) => state },
    { title: "pid", of: ({ pid }) => String(pid), isNumber: true },
    { title: "memory", of: ({ memoryBytes }) => mebibytes(memoryBytes), isNumber: true },
    { title: "address", of: ({ address }) => address ?? "" },
  ]);
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? "" : `${Math.round(bytes / 1_048_576)} MiB`;
}

function numberJson({ number, queue, quality }: NumberStatus): object {
  const { phoneNumberId, name, displayPhoneNumber, wabaId, connection } = number;
  return {
    phoneNumberId,
    name,
    displayPhoneNumber,
    wabaId,
    connected: connection?.connected === true,
    term: Number(connection?.term ?? 0),
    holder: connection?.holder ?? "",
    since: timeText(connection?.since) || null,
    cause: connection?.cause ?? "",
    standing: standingOf(number),
    waiting: queue ?? null,
    quality: quality === undefined ? null : qualityJson(quality),
  };
}

function qualityJson(quality: NumberQuality): object {
  return {
    rating: quality.qualityRating,
    status: quality.status,
    messagingLimitTier: quality.messagingLimitTier,
    messagingLimit: quality.messagingLimit === undefined ? null : Number(quality.messagingLimit),
    used: Number(quality.used),
    observedAt: timeText(quality.observedAt) || null,
  };
}

function processJson({ memoryBytes, ...process }: ProcessState): object {
  return { ...process, memoryBytes: memoryBytes ?? null };
}
