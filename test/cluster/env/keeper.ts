// Holds the namespaces of one cluster, as a process of its own outside of them: begins the stage inside, and when the stage or
// whoever started the keeper is gone, however that came, ends all that is left and removes control groups and folder.
// Ends of the keeper itself end the stage by the kernel's hand; what then stays is removed by the next start (sweep.ts).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeFolder } from "#local/server-process.ts";
import { groupName, makeGroup, readHierarchies, removeGroup } from "./cgroups.ts";
import { clusterFolder } from "./sweep.ts";

const stage = fileURLToPath(new URL("stage.ts", import.meta.url));
const folder = clusterFolder(process.pid);
const name = groupName(process.pid);
const hierarchies = readHierarchies();

/** The shell steps into the groups, so that their root is what the cluster sees as the root, then into the leaf below. */
function enterScript(groups: readonly string[], leaf: string, next: string): string {
  return [
    ...groups.map((group) => `echo $$ > ${group}${leaf}/cgroup.procs`),
    "next=$1",
    "shift",
    `exec ${next} sh -c "$next" sh "$@"`,
  ].join(" && ");
}

function scripts(groups: readonly string[]): string[] {
  const namespaces = "--mount --net --pid --ipc --fork --kill-child --mount-proc";
  return [
    enterScript(groups, "", "unshare --cgroup"),
    enterScript(groups, "/init", `setpriv --pdeathsig KILL unshare ${namespaces}`),
    // Stays as the first process of its namespace, which has to collect those that others leave behind.
    '"$@"; exit $?',
  ];
}

mkdirSync(folder, { recursive: true });
const [outer = "", ...inner] = scripts(makeGroup(name, hierarchies));
const command = [process.execPath, stage, folder, ...process.argv.slice(2)];
const child = spawn("sh", ["-c", outer, "sh", ...inner, ...command], { stdio: ["ignore", "inherit", "inherit"] });
writeFileSync(join(folder, "holder.pid"), String(child.pid));
const end = (): void => void child.kill("SIGKILL");
process.stdin.on("end", end).on("error", end).resume();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
const [code] = await once(child, "exit");
await removeGroup(name, hierarchies);
removeFolder(folder);
process.exit(typeof code === "number" ? code : 0);
