// What the Dockerfile's first stage does, in exec form: the image it runs in needs Node and npm, and no shell. With BUNDLE=dist
// both steps have nothing to do, since dist/ came with the sources. Plain JavaScript, like all that runs before packages are there.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const steps = {
  // Scripts of packages are not run: none of those that the bundle is made of or made by needs one.
  install: [["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]],
  bundle: [["node", "deploy/image/build.ts"]],
};

const { BUNDLE = "fresh" } = process.env;
const [step] = process.argv.slice(2);
if (BUNDLE === "dist") {
  if (step === "bundle" && !existsSync("dist/app/heliograph.js")) {
    process.stderr.write("BUNDLE=dist, and there is no dist/app: make it with node deploy/image/build.ts\n");
    process.exit(1);
  }
} else if (BUNDLE === "fresh") {
  for (const [command, ...args] of steps[step] ?? []) {
    const { status, error } = spawnSync(command, args, { stdio: "inherit" });
    if (error !== undefined) process.stderr.write(`${command}: ${error.message}\n`);
    if (status !== 0) process.exit(1);
  }
} else {
  process.stderr.write(`BUNDLE=${BUNDLE} is neither fresh nor dist\n`);
  process.exit(1);
}
