import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as CompileCache from "../../../../src/adapters/cli/CompileCache.js"
import * as Program from "./Program.js"

/** A fake for Node's compile cache, which prints the folder that it is passed. */
const preload = `
import module, { syncBuiltinESMExports } from "node:module"
module.enableCompileCache = (folder) => void process.stderr.write("kept in " + folder + "\\n")
syncBuiltinESMExports()
`

it.scopedLive(
  "what the program's files are compiled to is kept in the user's own folder, if there is a use for it",
  () =>
    Effect.gen(function* () {
      const home = yield* Program.make({ "preload.mjs": preload })
      const NODE_OPTIONS = `--import ${home.at("work/preload.mjs")}`
      expect(yield* home.run(["sessions", "list"], { NODE_OPTIONS })).toMatchObject({
        code: 0,
        stderr: `kept in ${home.at(".cache/skein")}\n`
      })
      expect(yield* home.run(["--version"], { NODE_OPTIONS })).toMatchObject({ code: 0, stderr: "" })
    })
)

it("caches are where the platform has them, and nowhere without a folder of the user's", () => {
  const host = { platform: "linux", env: {}, home: "/home/ann" } as const
  const folders = [
    host,
    { ...host, env: { XDG_CACHE_HOME: "/caches" } },
    { ...host, env: { XDG_CACHE_HOME: "caches" } },
    { ...host, platform: "darwin" },
    { ...host, platform: "win32" },
    { ...host, platform: "win32", env: { LOCALAPPDATA: "/local" } },
    { ...host, home: "" }
  ] as const
  expect(folders.map(CompileCache.folder)).toEqual([
    "/home/ann/.cache/skein",
    "/caches/skein",
    "/home/ann/.cache/skein",
    "/home/ann/Library/Caches/skein",
    "/home/ann/AppData/Local/skein-cache",
    "/local/skein-cache",
    null
  ])
})
