import assert from "node:assert/strict";
import { test } from "node:test";
import { declareFleet } from "./declared.ts";

test("every number is another one, in full accounts and with room on the nodes", () => {
  const { numbers, accounts, secrets, nodes } = declareFleet({ size: 250, perAccount: 20, namespace: "bench" });
  const fields = numbers.map(({ spec }) => JSON.stringify(spec));
  assert.deepEqual(
    [numbers.length, new Set(fields).size, accounts.length, secrets.length, nodes.length],
    [250, 250, 13, 13, 3],
  );
  assert.deepEqual(numbers[20]?.["spec"], {
    accountRef: { name: "account-00001" },
    phoneNumberId: "900000020",
    phoneNumber: "+15550000020",
  });
});
