// Takes out of an image of Node what installs packages: nothing of ours needs it, and whoever breaks in should not find it. Its last
// act is to remove itself.
import { rmSync, readdirSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const places = ["/usr/local", "/usr", "/nodejs"];
for (const place of places) {
  rmSync(`${place}/lib/node_modules`, { recursive: true, force: true });
  for (const name of ["npm", "npx", "corepack", "yarn", "yarnpkg", "pnpm", "pnpx"]) {
    rmSync(`${place}/bin/${name}`, { force: true });
  }
}
for (const name of existsSync("/opt") ? readdirSync("/opt") : []) {
  if (name.startsWith("yarn")) rmSync(`/opt/${name}`, { recursive: true });
}
rmSync(fileURLToPath(import.meta.url));
