import assert from "node:assert/strict";
import { test } from "node:test";
import { isAtLeast } from "./objects.ts";
import { createStore } from "./store.ts";
import { createWrittenVersions } from "./written-versions.ts";

const object = (name: string, uid: string, resourceVersion: string, owner = "o") => ({
  metadata: { namespace: "n", name, uid, resourceVersion },
  owner,
});

test("the same name with another uid is a death and a birth, told by an event or by a list", () => {
  for (const tell of ["put", "replaceAll"] as const) {
    const store = createStore();
    store.put(object("a", "1", "10"));
    const next = object("a", "2", "11");
    const changes = tell === "put" ? store.put(next) : store.replaceAll([next]);
    assert.deepEqual(
      changes.map(({ type, object: { metadata } }) => [type, metadata.uid]),
      [
        ["deleted", "1"],
        ["added", "2"],
      ],
    );
  }
});

test("a list tells what is new, what changed and what is gone, and nothing of the rest", () => {
  const store = createStore();
  for (const name of ["same", "changed", "gone"]) store.put(object(name, name, "1"));
  const changes = store.replaceAll([
    object("same", "same", "1"),
    object("changed", "changed", "2"),
    object("new", "new", "3"),
  ]);
  assert.deepEqual(
    changes.map(({ type, object: { metadata } }) => `${metadata.name} ${type}`),
    ["gone deleted", "changed updated", "new added"],
  );
  assert.equal(store.size(), 3);
});

test("an index follows its objects", () => {
  const store = createStore({ owner: ({ owner }: ReturnType<typeof object>) => [owner] });
  store.put(object("a", "1", "1", "x"));
  store.put(object("b", "2", "2", "x"));
  store.put(object("a", "1", "3", "y"));
  store.remove(object("b", "2", "4", "x"));
  assert.deepEqual(store.lookup("owner", "x"), []);
  assert.deepEqual(
    store.lookup("owner", "y").map(({ metadata }) => metadata.name),
    ["a"],
  );
});

test("versions are compared as numbers of any length", () => {
  const cases: [string, string, boolean][] = [
    ["10", "9", true],
    ["9", "10", false],
    ["7", "7", true],
    ["90071992547409931", "90071992547409930", true],
  ];
  for (const [version, other, expected] of cases)
    assert.equal(isAtLeast(version, other), expected, `${version} ${other}`);
});

test("a key is not decided on before its cache has what was written for it", () => {
  const written = createWrittenVersions();
  const store = createStore();
  written.remember("n/a", store, "12");
  written.remember("n/a", store, "11");
  assert.equal(written.isCaughtUp("n/a"), false);
  store.reach("11");
  assert.equal(written.isCaughtUp("n/a"), false);
  assert.equal(written.isCaughtUp("n/b"), true);
  store.reach("12");
  assert.equal(written.isCaughtUp("n/a"), true);
});
