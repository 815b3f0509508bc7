// `node deploy/image/build.ts [FOLDER]`: makes the image's content in dist/, or in the folder given.
import { join, resolve } from "node:path";
import { makeBundle } from "./bundle.ts";
import { root } from "./sources.ts";

const [folder = join(root, "dist")] = process.argv.slice(2);
const { app, maps, sbom } = await makeBundle(resolve(folder));
process.stdout.write(`${app}: the image's /app\n${maps}: source maps\n${sbom}: bill of materials\n`);
