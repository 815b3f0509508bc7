import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { createWorld, newMessage, phoneNumberId, wabaId } from "./test-service.ts";
import { applySubscription } from "./subscription-store.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { MessageEventSchema } from "#proto/heliograph/messages/v1/events_pb.ts";
import { sleep } from "#lib/lifecycle.ts";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { connectNats } from "#lib/nats.ts";
import { testLog } from "#test/env/log.ts";
import { jetstream } from "@nats-io/jetstream";
function cpu(pid: number) { const f = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" "); return (Number(f[11]) + Number(f[12])) * 10; }
function cpuAll(match: (cmd: string) => boolean) { const out = new Map<number, number>(); for (const d of readdirSync("/proc")) if (/^\d+$/.test(d)) try { const c = readFileSync(`/proc/${d}/cmdline`, "utf8"); if (match(c)) out.set(Number(d), cpu(Number(d))); } catch {} return out; }
const rss = (pid: number) => /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1];
function event(messageId: string, verb: string) { const t = performance.timeOrigin + performance.now(); return toBinary(MessageEventSchema, create(MessageEventSchema, { eventId: `${messageId}.1.${verb}`, verb, messageId, attempt: 1, phoneNumberId, wabaId, displayPhoneNumber: "15550009999", recipient: "15550001111", at: timestampFromDate(new Date()), clientCallbackData: "order-" + t.toFixed(3) })); }
test("bench", { timeout: 200000 }, async () => {
  await using world = await createWorld();
  await using nc = await connectNats({ url: world.env["NATS_URL"]!, name: "bench", log: testLog });
  const js = jetstream(nc);
  const rec = spawn(process.execPath, ["/tmp/wh/receiver.mjs"]);
  const port = String((await once(rec.stdout, "data"))[0]).trim();
  const stats = async () => (await fetch(`http://127.0.0.1:${port}/stats`)).json() as any;
  const spec = { dialect: "cloud" as const, events: [], phoneNumberIds: [], wabaIds: [], secrets: ["k"], keepTryingSeconds: 3600, timeoutMs: 15000, concurrency: 16 };
  const endpoints = Number(process.env.ENDPOINTS ?? 1);
  const sick = process.env.SICK!; await applySubscription(world.pool, { name: "sick", url: `http://127.0.0.1:${port}/${sick}`, ...spec, timeoutMs: 3000 }, new Date());
  for (let i = 0; i < endpoints; i++) await applySubscription(world.pool, { name: `e${i}`, url: `http://127.0.0.1:${port}/${i}`, ...spec }, new Date());
  const child = spawn(process.execPath, [...(process.env.FLAGS ?? "").split(" ").filter(Boolean), new URL("./main.ts", import.meta.url).pathname], { env: { ...world.env, RETRY_BASE_MS: "1000", LEASE_SLACK_MS: "5000", SEARCH_INTERVAL_MS: "5000" }, stdio: ["ignore", "ignore", "inherit"] });
  await sleep(2500); console.log("idle rss", rss(child.pid!));
  const measure = async (name: string, run: () => Promise<number>) => {
    const isPg = (c: string) => c.includes("postgres");
    const pg0 = cpuAll(isPg), na0 = cpuAll((c) => c.includes("nats-server")), s0 = cpu(child.pid!);
    const { rows: [w0] } = await world.pool.query<any>("select sum(xact_commit) x, (select wal_bytes from pg_stat_wal) w, (select sum(n_tup_ins+n_tup_upd) from pg_stat_user_tables) t from pg_stat_database where datname=current_database()");
    const n0 = (await stats()).n; const t0 = performance.now();
    const n = await run();
    await until(async () => (await stats()).n >= n0 + n, { timeoutMs: 120000 });
    const ms = performance.now() - t0; await sleep(1500);
    const diff = (a: Map<number, number>, b: Map<number, number>) => [...b].reduce((s, [p, v]) => s + v - (a.get(p) ?? 0), 0);
    const { rows: [w1] } = await world.pool.query<any>("select sum(xact_commit) x, (select wal_bytes from pg_stat_wal) w, (select sum(n_tup_ins+n_tup_upd) from pg_stat_user_tables) t from pg_stat_database where datname=current_database()");
    const st = await stats(); const lat = st.lat.slice(-n).toSorted((a: number, b: number) => a - b);
    const q = (p: number) => lat[Math.floor(lat.length * p)]?.toFixed(1);
    console.log(name, { n, perSecond: Math.round(n / ms * 1000), extra: st.n - n0 - n, cpuPer1000: { service: (cpu(child.pid!) - s0) / n, pg: diff(pg0, cpuAll(isPg)) / n, nats: diff(na0, cpuAll((c) => c.includes("nats-server"))) / n }, commitsPer: (w1.x - w0.x) / n, writes: (w1.t - w0.t) / n, wal: Math.round((w1.w - w0.w) / n), p50: q(0.5), p99: q(0.99), rssKb: rss(child.pid!) });
  };
  await measure("warm", async () => { for (let i = 0; i < 300; i++) await world.status(newMessage(), "sent"); return 300 * endpoints; });
  await measure("steady 450/s", async () => {
    let n = 0; const start = performance.now(); const ps: Promise<unknown>[] = [];
    while (performance.now() - start < 10000) {
      const due = Math.floor((performance.now() - start) * 0.15);
      while (n < due) { n++; const m = newMessage(); ps.push((async () => { for (const verb of ["sent", "delivered", "read"]) { await js.publish(`wa.message.${verb}.${phoneNumberId}`, event(m.messageId, verb)); await sleep(15); } })()); }
      await sleep(5);
    }
    await Promise.all(ps); return n * 3 * endpoints;
  });
  const show = async (w: string) => { const st = await stats(); const { rows } = await world.pool.query("select name, state, count(*), max(attempts) from webhooks.deliveries join webhooks.subscriptions using (subscription_id) group by 1,2 order by 1,2"); console.log(w, JSON.stringify({ ...st, lat: undefined }), JSON.stringify(rows)); };
  await show("before heal");
  const c0 = cpu(child.pid!); const pgc = () => [...cpuAll((c) => c.includes("postgres")).values()].reduce((a, b) => a + b, 0); const p0 = pgc(); const t0 = performance.now();
  await sleep(5000); console.log("5 s of sickness cost ms", cpu(child.pid!) - c0, pgc() - p0);
  await fetch(`http://127.0.0.1:${port}/heal`); const t1 = performance.now();
  await until(async () => (await world.pool.query<any>("select count(*) c from webhooks.deliveries where state='waiting'")).rows[0].c === 0, { timeoutMs: 90000 });
  console.log("drained in", performance.now() - t1, "cpu", cpu(child.pid!) - c0, pgc() - p0);
  await show("end");
  child.kill(); rec.kill();
});
