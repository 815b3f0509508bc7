import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSeries } from "../scrape.ts";
import { fleetWrites, writesBetween, writesOf } from "./api-requests.ts";

const text = (created: number): string => `
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1"} 7
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} ${created}
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 1
apiserver_request_total{code="200",component="apiserver",dry_run="All",group="",resource="pods",scope="resource",subresource="",verb="APPLY",version="v1"} 5
apiserver_request_total{code="200",component="apiserver",dry_run="",group="heliograph.dev",resource="whatsappnumbers",scope="resource",subresource="status",verb="APPLY",version="v1alpha1"} 2
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} ${created * 2}
`;

test("writes are counted by resource, whatever came of them; reads and dry runs are none", () => {
  assert.deepEqual(writesOf(parseSeries(text(3))), { pods: 4, "whatsappnumbers/status": 2, leases: 6 });
});

test("what was written between two moments, and what of it was the fleet's", () => {
  const writes = writesBetween(writesOf(parseSeries(text(3))), writesOf(parseSeries(text(5))));
  assert.deepEqual([writes, fleetWrites(writes)], [{ pods: 2, leases: 4 }, 2]);
});
