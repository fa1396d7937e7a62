/**
 * Golden data folders. Each holds in `data` what one version left when it was killed in the middle of its work, and
 * next to it what that version showed, in files with one JSON value per line.
 */
import { Effect } from "effect"
import { chmodSync, cpSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../unit/services/storage/disk.js"

/** Also found from bundles, because they lie at the same depth. */
const fixtures = fileURLToPath(new URL("../../../test/support/fixtures/golden", import.meta.url))

/** The versions that have a folder. */
export const versions: ReadonlyArray<string> = readdirSync(fixtures).toSorted()

/** The golden folder of a version. */
export const golden = (version: string): string => join(fixtures, version)

/** What the version showed, by file name: `sessions` has its sessions, a session's id has that session's transcript. */
export const shown = (golden: string, name: string): ReadonlyArray<unknown> =>
  readFileSync(join(golden, `${name}.jsonl`), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line))

/** Copies a data folder. */
export const copy = (from: string, to: string): string => {
  cpSync(from, to, { recursive: true })
  // Restores the modes that it had; they do not all survive a checkout.
  chmodSync(to, 0o700)
  for (const name of readdirSync(to, { recursive: true, encoding: "utf8" })) {
    const path = join(to, name)
    chmodSync(path, statSync(path).isDirectory() ? 0o700 : 0o600)
  }
  return to
}

/** A copy of the data folder of a golden folder, removed with the scope. */
export const copied = (golden: string) => Effect.map(folder, (to) => copy(join(golden, "data"), join(to, "data")))
