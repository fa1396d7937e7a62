/**
 * Programs of the tests as files that Node runs: TypeScript bundled once. The packages are left out, or bundled as well
 * except for the native one and the test runner, which makes a program start three times as fast. Two test runs may
 * bundle the same program at the same time; each puts its own file in place with a single rename.
 */
import { Effect } from "effect"
import { build } from "esbuild"
import { randomUUID } from "node:crypto"
import { rename } from "node:fs/promises"
import { basename, dirname } from "node:path"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../../../dist/programs/", import.meta.url))

const bundled = new Map<string, Promise<string>>()

/** A bundle has no `require` of its own, which some packages need. */
const withPackages = {
  minify: true,
  keepNames: true,
  external: ["better-sqlite3", "@effect/vitest"],
  banner: {
    js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);"
  }
}

const make = async (entry: string, isWhole: boolean): Promise<string> => {
  // Programs of different folders may have the same name.
  const outfile = `${folder}${basename(dirname(entry))}-${basename(entry, ".ts")}.mjs`
  const made = `${outfile}.${randomUUID()}`
  await build({
    entryPoints: [entry],
    outfile: made,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    ...(isWhole ? withPackages : { packages: "external" }),
    logLevel: "warning"
  })
  await rename(made, outfile)
  return outfile
}

/** Returns the path of the file to run for the program at this URL. `whole` bundles the packages with it. */
export const bundle = (entry: URL, { whole = false } = {}): Effect.Effect<string> =>
  Effect.promise(() => {
    const path = fileURLToPath(entry)
    const known = bundled.get(path) ?? make(path, whole)
    bundled.set(path, known)
    return known
  })
