/** Libraries in C that tests preload into processes, compiled once. */
import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdirSync, renameSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Whether there is a C compiler, and a loader that can preload a library. */
export const isPossible = process.platform === "linux" && spawnSync("cc", ["--version"]).status === 0

/** Bundled programs lie at the same depth as this file, so this is also found from them. */
const programs = fileURLToPath(new URL("../../../dist/programs/", import.meta.url))

/**
 * Returns a function that compiles the library once and returns its path. Two test runs may compile it at the same
 * time; each puts its own file in place with a single rename.
 */
export const compiler = (source: string, ...options: ReadonlyArray<string>): (() => string) => {
  let compiled: string | null = null
  return () => {
    if (compiled !== null) return compiled
    mkdirSync(programs, { recursive: true })
    const name = basename(source, ".c")
    const made = join(programs, `${name}-${randomUUID()}.so`)
    const { status, stderr } = spawnSync("cc", ["-shared", "-fPIC", "-O1", "-o", made, source, ...options])
    if (status !== 0) throw new Error(String(stderr))
    compiled = join(programs, `${name}.so`)
    renameSync(made, compiled)
    return compiled
  }
}
