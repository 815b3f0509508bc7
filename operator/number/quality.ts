// What the quality service says of a number. A number is asked about once in a while and not at each look; a service that was there a
// moment ago is not away yet.
import { ServiceError } from "#lib/errors.ts";
import type { Client } from "#lib/grpc.ts";
import type { NumberQuality, QualityService } from "#proto/heliograph/quality/v1/quality_pb.ts";
import type { Answer, QualityFacts } from "./facts.ts";
import type { NumberMemory } from "./memory.ts";

type QualityQuestion = {
  quality: Pick<Client<typeof QualityService>, "getNumberQuality">;
  phoneNumberId: string;
  memory: NumberMemory;
  nowMs: number;
  signal: AbortSignal;
};

const freshMs = 30_000;
const freshUnknownMs = 1_500;
const awayAfterMs = 60_000;

/** Never rejects. */
export async function askQuality(question: QualityQuestion): Promise<Answer<QualityFacts | undefined>> {
  const { memory, nowMs } = question;
  const last = memory.quality;
  const isKnown = last?.answer.kind === "known" && last.answer.value !== undefined;
  if (last !== undefined && nowMs - last.askedAtMs < (isKnown ? freshMs : freshUnknownMs)) return last.answer;
  const answer = await ask(question);
  const knownAtMs = answer.kind === "known" ? nowMs : (last?.knownAtMs ?? -Infinity);
  const isBlip = answer.kind === "away" && last?.answer.kind === "known" && nowMs - knownAtMs < awayAfterMs;
  memory.quality = { answer: isBlip ? last.answer : answer, askedAtMs: nowMs, knownAtMs };
  return memory.quality.answer;
}

async function ask({ quality, phoneNumberId, signal }: QualityQuestion): Promise<Answer<QualityFacts | undefined>> {
  try {
    const { quality: found } = await quality.getNumberQuality({ phoneNumberId }, { signal });
    return { kind: "known", value: found && toFacts(found) };
  } catch (error) {
    const { code, message } = ServiceError.from(error);
    return code === "NOT_FOUND"
      ? { kind: "known", value: undefined }
      : { kind: "away", service: "quality", why: message };
  }
}

function toFacts(quality: NumberQuality): QualityFacts {
  return {
    rating: quality.qualityRating,
    status: quality.status,
    limitTier: quality.messagingLimitTier,
    limit: quality.messagingLimit,
    used: quality.used,
    throughput: quality.throughputLevel,
    nameStatus: quality.nameStatus,
    verifiedName: quality.verifiedName,
  };
}
