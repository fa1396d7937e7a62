/**
 * Programs of the tests as files that Node runs: TypeScript bundled once, packages left where they are. Two test runs
 * may bundle the same program at once; each puts its own file in place by one rename.
 */
import { Effect } from "effect"
import { build } from "esbuild"
import { randomUUID } from "node:crypto"
import { rename } from "node:fs/promises"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../../dist/programs/", import.meta.url))

const bundled = new Map<string, Promise<string>>()

const make = async (entry: string): Promise<string> => {
  const outfile = `${folder}${basename(entry, ".ts")}.mjs`
  const made = `${outfile}.${randomUUID()}`
  await build({
    entryPoints: [entry],
    outfile: made,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    logLevel: "warning"
  })
  await rename(made, outfile)
  return outfile
}

/** Gives the path of the file to run for the program at this URL. */
export const bundle = (entry: URL): Effect.Effect<string> =>
  Effect.promise(() => {
    const path = fileURLToPath(entry)
    const known = bundled.get(path) ?? make(path)
    bundled.set(path, known)
    return known
  })
