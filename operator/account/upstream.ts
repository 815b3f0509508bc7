// Asks WhatsApp about an account, through the process of one of its connected numbers.
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { ServiceError } from "#lib/errors.ts";
import type { Client } from "#lib/grpc.ts";
import type {
  CheckTokenResponse,
  GetAccountResponse,
  UpstreamPhoneNumber,
  UpstreamService,
} from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { maskedPhoneNumber } from "../number/words.ts";
import type { Services } from "../services.ts";
import type { AccountFactsTold, ListedNumber, Told, TokenFacts, UpstreamFacts } from "./facts.ts";

/** A process that holds a number of the account. */
export type Holder = {
  address: string;
  /** The number has credentials of its own. */
  isForeign: boolean;
};

type Asked = Pick<
  Client<typeof UpstreamService>,
  "checkToken" | "getAccount" | "listSubscribedApps" | "listPhoneNumbers"
>;

/** Numbers come and go: so many are asked before WhatsApp counts as away. */
const mostHolders = 3;

/** The first that answers, those with the account's own token before others. Throws what the last one said. */
export async function readUpstream(
  services: Pick<Services, "upstream">,
  holders: readonly Holder[],
  signal: AbortSignal,
): Promise<{ facts: UpstreamFacts; address: string }> {
  const order = holders.toSorted((a, b) => Number(a.isForeign) - Number(b.isForeign)).slice(0, mostHolders);
  let last: unknown = new ServiceError("UNAVAILABLE", "not_connected", "no number of the account is connected");
  for (const { address, isForeign } of order) {
    try {
      const facts = await services.upstream(address, (upstream) => readThrough(upstream, isForeign, signal));
      return { facts, address };
    } catch (error) {
      if (signal.aborted) throw error;
      last = error;
    }
  }
  throw last;
}

async function readThrough(upstream: Asked, isForeign: boolean, signal: AbortSignal): Promise<UpstreamFacts> {
  const options = { signal };
  const token = toToken(await upstream.checkToken({}, options), isForeign);
  if (!token.isValid) {
    const refused = { kind: "refused" as const, why: "WhatsApp refuses the access token" };
    return { token, account: refused, apps: refused, numbers: refused };
  }
  const [account, apps, numbers] = await Promise.all([
    orRefused(upstream.getAccount({}, options).then(toAccount)),
    orRefused(
      upstream
        .listSubscribedApps({}, options)
        .then(({ apps: listed }) =>
          listed.map(({ appId, overrideCallbackUri }) => ({ appId, hasOwnCallback: overrideCallbackUri !== "" })),
        ),
    ),
    orRefused(
      upstream.listPhoneNumbers({}, options).then(({ phoneNumbers }) => phoneNumbers.map(toNumber).filter(isNamed)),
    ),
  ]);
  return { token, account, apps, numbers };
}

/** WhatsApp's refusal is an answer; that nobody answers is not. */
async function orRefused<T>(call: Promise<T>): Promise<Told<T>> {
  try {
    return { kind: "told", value: await call };
  } catch (error) {
    if (error instanceof ServiceError && error.reason === "upstream_refused")
      return { kind: "refused", why: error.message };
    throw error;
  }
}

function toToken(
  { valid, problem, inspected, appId, expiresAt, scopes }: CheckTokenResponse,
  isForeign: boolean,
): TokenFacts {
  return {
    isValid: valid,
    problem,
    inspected: inspected ? { appId, expiresAt: expiresAt && timestampDate(expiresAt), scopes } : undefined,
    isForeign,
  };
}

function toAccount(answer: GetAccountResponse): AccountFactsTold {
  return {
    name: answer.name,
    currency: answer.currency,
    businessVerification: answer.businessVerificationStatus,
    review: answer.accountReviewStatus,
    canSend: answer.canSendMessage,
    problems: answer.problems.map(({ code, description, solution }) => ({ code, description, solution })),
  };
}

function toNumber({ phoneNumberId, displayPhoneNumber, verifiedName }: UpstreamPhoneNumber): ListedNumber {
  return { phoneNumberId, maskedPhoneNumber: maskedPhoneNumber(`+${displayPhoneNumber}`), verifiedName };
}

/** The status takes no other. */
function isNamed({ phoneNumberId }: ListedNumber): boolean {
  return /^\d{1,32}$/.test(phoneNumberId);
}
