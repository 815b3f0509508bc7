// Finds (or builds, once for all parallel runs) what renders and checks the chart: helm in both versions, helm-unittest, kubeconform,
// kube-score. From PATH, from the cache, else from their Go modules, whose checksums Go looks up. Their release archives are not taken:
// we know no checksums of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findPrograms, type ProgramSet } from "./kube-binaries.ts";
import { buildFlags, inModule } from "./kube-sources.ts";

export type ChartProgram = "helm" | "helm3" | "helm-unittest" | "kubeconform" | "kube-score";

type Recipe = {
  module: string;
  version: string;
  /** Of the main package, below the module. */
  path: string;
  /** The variable that the linker writes the version to, below the module unless it is main's. */
  versionVariable: string;
  /** On 2 idle cores, with nothing in Go's own cache. */
  takes: string;
  asked: readonly string[];
  isTaken: ProgramSet<string>["programs"][string];
};

const recipes: Record<ChartProgram, Recipe> = {
  helm: {
    module: "helm.sh/helm/v4",
    version: "4.3.1",
    path: "cmd/helm",
    versionVariable: "helm.sh/helm/v4/internal/version.version",
    takes: "about five minutes",
    asked: ["version", "--short"],
    isTaken: ({ major }) => major === 4,
  },
  helm3: {
    module: "helm.sh/helm/v3",
    version: "3.22.0",
    path: "cmd/helm",
    versionVariable: "helm.sh/helm/v3/internal/version.version",
    takes: "about four minutes",
    asked: ["version", "--short"],
    isTaken: ({ major, minor }) => major === 3 && minor >= 14,
  },
  "helm-unittest": {
    module: "github.com/helm-unittest/helm-unittest",
    version: "1.1.2",
    path: "cmd/helm-unittest",
    versionVariable: "github.com/helm-unittest/helm-unittest/internal/build.version",
    takes: "about two minutes",
    // It tells its version nowhere.
    asked: ["--help"],
    isTaken: () => true,
  },
  kubeconform: {
    module: "github.com/yannh/kubeconform",
    version: "0.8.0",
    path: "cmd/kubeconform",
    versionVariable: "main.version",
    takes: "some seconds",
    asked: ["-v"],
    isTaken: ({ major, minor }) => major > 0 || minor >= 7,
  },
  "kube-score": {
    module: "github.com/zegl/kube-score",
    version: "1.20.0",
    path: "cmd/kube-score",
    versionVariable: "main.version",
    takes: "about half a minute",
    asked: ["version"],
    isTaken: ({ major, minor }) => major === 1 && minor >= 20,
  },
};

/** `progress` gets a line if it takes long. Rejects with one message that names the ways out. */
export async function findChartProgram(name: ChartProgram, progress: (line: string) => void): Promise<string> {
  const recipe = recipes[name];
  const programs = await findPrograms<ChartProgram>(
    {
      programs: { [name]: recipe.isTaken } as ProgramSet<ChartProgram>["programs"],
      name: `${name}-${recipe.version}`,
      sources: [
        {
          doing: `building ${name} ${recipe.version} with Go, once, ${recipe.takes}`,
          make: (folder) => build(name, recipe, join(folder, name)),
        },
      ],
      advice: `${name} ${recipe.version} is needed for the chart's tests. Put it on PATH, or install Go, and it is built for you.`,
      asked: recipe.asked,
    },
    progress,
  );
  return programs[name];
}

async function build(name: ChartProgram, recipe: Recipe, target: string): Promise<void> {
  const { module, version, path, versionVariable } = recipe;
  await inModule(name, async (go) => {
    await go("mod", "edit", `-require=${module}@v${version}`);
    const replacements = replacementsOf(await go("mod", "download", "-json", `${module}@v${version}`));
    if (replacements.length > 0) await go("mod", "edit", ...replacements);
    const linker = `-s -w -X ${versionVariable}=v${version}`;
    await go("build", ...buildFlags(linker), "-o", target, `${module}/${path}`);
  });
}

/** The replace lines of a module's go.mod count only where it is the main module. */
function replacementsOf(download: string): string[] {
  const goMod = /"GoMod": "(.*)"/.exec(download)?.[1];
  if (goMod === undefined) throw new Error("go mod download tells no go.mod");
  const lines = readFileSync(goMod, "utf8").matchAll(/^(?:replace\s+|\s+)(\S+)(?: (v\S+))? => (\S+) (v\S+)$/gm);
  return Array.from(lines, ([, from, version, to, toVersion]) => {
    const replaced = version === undefined ? from : `${from}@${version}`;
    return `-replace=${replaced}=${to}@${toVersion}`;
  });
}
