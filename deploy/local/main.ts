// `npm start`
import { runLocal } from "./runner.ts";

process.exit(await runLocal(process.argv.slice(2), process.env));
