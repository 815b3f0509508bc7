import assert from "node:assert/strict";
import { test } from "node:test";
import { privateDatabase } from "#test/env/postgres.ts";
import { forgetWindows } from "./retention.ts";
import { saveWindows } from "./store.ts";

const now = new Date("2026-03-03T12:00:00Z");

test("windows that closed more than a day ago are forgotten, batch by batch, and no others", async () => {
  await using database = await privateDatabase({ services: ["billing"] });
  const { pool: db } = database;
  const windows = ["100", "200"].flatMap((phoneNumberId) => [
    { phoneNumberId, userId: "1", closesAt: new Date("2026-03-02T11:59:59.999Z") },
    { phoneNumberId, userId: "2", closesAt: new Date("2026-03-02T12:00:00Z") },
    { phoneNumberId, userId: "3", closesAt: new Date("2026-03-01T12:00:00Z") },
    { phoneNumberId, userId: "4", closesAt: new Date("2026-03-04T12:00:00Z") },
  ]);
  await saveWindows(db, windows);
  await forgetWindows(db, now, new AbortController().signal, 3);
  const { rows } = await db.query("select phone_number_id, user_id from billing.windows order by 1, 2");
  assert.deepEqual(
    rows,
    ["100", "200"].flatMap((phoneNumberId) =>
      ["2", "4"].map((userId) => ({ phone_number_id: phoneNumberId, user_id: userId })),
    ),
  );
});
