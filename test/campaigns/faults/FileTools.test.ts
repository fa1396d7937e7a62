/**
 * Changes that tools make on a disk are synced before they are reported, and what the user may not touch is left alone.
 */
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import * as Bundle from "../../support/programs/Bundle.js"
import * as Process from "../../support/programs/Process.js"
import { folder } from "../../unit/services/storage/disk.js"
import { nobody, withNobody, withShim } from "./Machine.js"
import * as Shim from "./Shim.js"

interface How {
  readonly env?: Readonly<Record<string, string>>
  readonly wrapper?: ReadonlyArray<string>
}

/** Calls a tool in a process of its own; returns its result. */
const call = (workdir: string, tool: string, input: unknown, { env = {}, wrapper = [] }: How = {}) =>
  Effect.gen(function* () {
    const program = yield* Bundle.bundle(new URL("fileTools.ts", import.meta.url), { whole: true })
    const [command, ...args] = [...wrapper, process.execPath, program, tool, JSON.stringify(input)]
    const running = yield* Process.start(command ?? process.execPath, args, {
      cwd: workdir,
      env: { PATH: process.env["PATH"] ?? "", ...env }
    })
    const { stderr, stdout } = yield* running.ended
    expect(stderr).toBe("")
    return stdout.trim()
  })

/** What happened to files, in order, with one name for all temp files; without reads and repeated writes. */
const steps = (shim: Shim.Shim): ReadonlyArray<string> =>
  shim
    .trace()
    .filter(({ call, file }) => file !== "stdout" && (call === "write" || call === "sync" || call === "rename"))
    .map(({ call, file }) => `${call} ${file.startsWith(".skein-") ? "temp" : file}`)
    .filter((step, index, all) => step !== all[index - 1])

const traced = (prepare: (workdir: string) => void, tool: string, input: unknown) =>
  Effect.gen(function* () {
    const root = yield* folder
    prepare(root)
    const shim = yield* Shim.make(root)
    shim.set({ trace: true })
    const result = yield* call(root, tool, input, { env: shim.env })
    return { name: basename(root), result, root, steps: steps(shim) }
  })

withShim("edit syncs the new content before the rename, and the folder after it", () =>
  Effect.gen(function* () {
    const prepare = (root: string) => writeFileSync(join(root, "a.txt"), "one")
    const { name, result, steps } = yield* traced(prepare, "edit", { path: "a.txt", oldText: "one", newText: "two" })
    expect(result).toBe("Edited a.txt at line 1")
    expect(steps).toEqual(["write temp", "sync temp", "rename a.txt", `sync ${name}`])
  })
)

withShim("write syncs a new file before the rename, its folder after it, and the parents of new folders", () =>
  Effect.gen(function* () {
    const { name, result, steps } = yield* traced(() => {}, "write", { path: "new/er/a.txt", content: "x" })
    expect(result).toBe("Created new/er/a.txt (1 bytes)")
    expect(steps).toEqual([`sync ${name}`, "sync new", "write temp", "sync temp", "rename a.txt", "sync er"])
  })
)

withShim("a sync that fails before the rename leaves the old content, and the call reports the error", () =>
  Effect.gen(function* () {
    const root = yield* folder
    writeFileSync(join(root, "a.txt"), "old")
    const shim = yield* Shim.make(root)
    shim.set({ rules: [{ call: "sync", path: ".skein-", does: { gives: "EIO" } }] })
    const result = yield* call(root, "write", { path: "a.txt", content: "new" }, { env: shim.env })
    expect(result).toBe("failed: Cannot use a.txt: the system failed (EIO)")
    expect(readFileSync(join(root, "a.txt"), "utf8")).toBe("old")
  })
)

withNobody("files that the user cannot write are not replaced, and grep counts those that the user cannot read", () =>
  Effect.gen(function* () {
    const root = yield* folder
    chmodSync(root, 0o755)
    const workdir = join(root, "work")
    mkdirSync(workdir)
    chownSync(workdir, 65534, 65534)
    writeFileSync(join(workdir, "fixed.txt"), "old", { mode: 0o444 })
    chownSync(join(workdir, "fixed.txt"), 65534, 65534)
    writeFileSync(join(workdir, "hidden.txt"), "old", { mode: 0o600 })
    writeFileSync(join(workdir, "large.txt"), "old\n".repeat(100_000), { mode: 0o600 })
    const as = (tool: string, input: unknown) => call(workdir, tool, input, { wrapper: nobody })
    const denied = "failed: Cannot use fixed.txt: the system denies access"
    expect(yield* as("write", { path: "fixed.txt", content: "new" })).toBe(denied)
    expect(yield* as("edit", { path: "fixed.txt", oldText: "old", newText: "new" })).toBe(denied)
    expect(readFileSync(join(workdir, "fixed.txt"), "utf8")).toBe("old")
    expect(yield* as("grep", { pattern: "old" })).toBe("fixed.txt:1: old\n[files that could not be read: 2]")
  })
)
