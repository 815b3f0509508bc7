// The Upstream service: what others ask of WhatsApp through the holder of the number.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { ServiceError } from "#lib/errors.ts";
import { type Client, createClient } from "#lib/grpc.ts";
import { UpstreamService } from "#proto/heliograph/connection/v1/upstream_pb.ts";
import { until } from "#test/until.ts";
import { phoneNumberId, wabaId } from "./test-peers.ts";
import { type Answer, refused, type Sent } from "./test-upstream.ts";
import { startWorld, type World } from "./test-world.ts";

let world: World;
let client: Client<typeof UpstreamService>;

before(async () => {
  world = await startWorld();
  client = createClient(UpstreamService, world.connection.address);
  await until(async () => (await fetch(`${world.connection.http}/readyz`)).status === 200);
});

after(async () => {
  await client[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

beforeEach(() => {
  world.upstream.received.length = 0;
});

function ok(body: unknown): Answer {
  return { status: 200, body };
}

function queryOf({ path }: Sent): URLSearchParams {
  return new URL(path, "http://upstream").searchParams;
}

async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ServiceError) return `${error.code} ${error.reason}`;
  }
  return "";
}

test("templates are read page by page with the cursor", async () => {
  const template = (name: string) => ({
    id: `1${name.length}`,
    name,
    language: "en_US",
    status: "APPROVED",
    category: "UTILITY",
  });
  const components = [{ type: "BODY", text: "Hello {{1}}" }];
  world.upstream.answer = (sent) => {
    if (queryOf(sent).get("after") === null) {
      const paging = { cursors: { after: "AA==" }, next: "https://elsewhere.example/next" };
      return ok({
        data: [{ ...template("one"), components, quality_score: { score: "GREEN" }, parameter_format: "NAMED" }],
        paging,
      });
    }
    return ok({ data: [template("three")], paging: { cursors: { after: "BB==" } } });
  };
  const { wabaId: account, templates } = await client.listTemplates({});
  assert.equal(account, wabaId);
  assert.deepEqual(
    templates.map(({ name, quality, parameterFormat }) => [name, quality, parameterFormat]),
    [
      ["one", "GREEN", "NAMED"],
      ["three", "UNKNOWN", "POSITIONAL"],
    ],
  );
  assert.deepEqual(JSON.parse(Buffer.from(templates[0]?.componentsJson ?? []).toString()), components);
  assert.deepEqual(
    world.upstream.received.map((sent) => [sent.path.split("?")[0], queryOf(sent).get("after")]),
    [
      [`/v24.0/${wabaId}/message_templates`, null],
      [`/v24.0/${wabaId}/message_templates`, "AA=="],
    ],
  );
});

test("the number's facts come with its portfolio, in our words", async () => {
  world.upstream.answer = ({ path }) =>
    path.includes(`/${phoneNumberId}?`)
      ? ok({
          id: phoneNumberId,
          display_phone_number: "+1 555-999-0000",
          verified_name: "A Shop",
          status: "CONNECTED",
          quality_rating: "GREEN",
          whatsapp_business_manager_messaging_limit: "TIER_2K",
          throughput: { level: "STANDARD" },
          name_status: "APPROVED",
        })
      : ok({ id: wabaId, owner_business_info: { id: "4242", name: "A Shop" } });
  const facts = await client.getPhoneNumber({});
  assert.deepEqual(
    [
      facts.phoneNumberId,
      facts.wabaId,
      facts.businessId,
      facts.displayPhoneNumber,
      facts.messagingLimitTier,
      facts.throughputLevel,
    ],
    [phoneNumberId, wabaId, "4242", "15559990000", "TIER_2K", "STANDARD"],
  );
  assert.ok(facts.observedAt);
});

test("an older API version, and an account whose owner may not be seen, still give the facts", async () => {
  world.upstream.answer = (sent) => {
    if (sent.path.includes(`/${wabaId}?`)) return refused(400, 100);
    if (queryOf(sent).get("fields")?.includes("whatsapp_business_manager")) return refused(400, 100);
    return ok({ id: phoneNumberId, messaging_limit_tier: "TIER_1K" });
  };
  const facts = await client.getPhoneNumber({});
  assert.deepEqual([facts.messagingLimitTier, facts.qualityRating, facts.businessId], ["TIER_1K", "UNKNOWN", ""]);
});

test("an inbound message is marked as read, with the typing indicator where it is asked for", async () => {
  world.upstream.answer = () => ok({ success: true });
  await client.markRead({ wamid: "wamid.X" });
  await client.markRead({ wamid: "wamid.Y", typing: true });
  assert.deepEqual(
    world.upstream.received.map(({ path, body }) => [path, body]),
    [
      [`/v24.0/${phoneNumberId}/messages`, { messaging_product: "whatsapp", status: "read", message_id: "wamid.X" }],
      [
        `/v24.0/${phoneNumberId}/messages`,
        { messaging_product: "whatsapp", status: "read", message_id: "wamid.Y", typing_indicator: { type: "text" } },
      ],
    ],
  );
});

test("a refusal of WhatsApp, no answer, and a process without the number are told apart", async () => {
  world.upstream.answer = () => refused(400, 131_009);
  assert.equal(await reasonOf(client.markRead({ wamid: "wamid.X" })), "FAILED_PRECONDITION upstream_refused");
  world.upstream.answer = () => "cut";
  assert.equal(await reasonOf(client.listTemplates({})), "UNAVAILABLE upstream_unavailable");
  world.upstream.answer = () => ({ status: 502, body: "<html>" });
  assert.equal(await reasonOf(client.listTemplates({})), "UNAVAILABLE upstream_unavailable");
  const standby = await world.startAnother({ HOLDER: "test/2" });
  await using other = createClient(UpstreamService, standby.address);
  assert.equal(await reasonOf(other.getPhoneNumber({})), "FAILED_PRECONDITION number_disconnected");
  assert.equal(await reasonOf(client.register({})), "UNIMPLEMENTED not_built");
});
