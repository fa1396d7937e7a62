import { expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { layerIds } from "../../../src/adapters/node/Identity.js"
import { layerStorage } from "../../../src/adapters/node.js"
import { SessionId } from "../../../src/domain/Session.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import { StorageReader } from "../../../src/services/Storage.js"
import { folder } from "../../services/storage/disk.js"

const require = createRequire(import.meta.url)

/** `engine.ts` as one file that Node can run anywhere. */
const program = Effect.gen(function* () {
  const file = join(yield* folder, "engine.mjs")
  yield* Effect.promise(() =>
    build({
      entryPoints: [fileURLToPath(new URL("engine.ts", import.meta.url))],
      outfile: file,
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "error",
      alias: { "better-sqlite3": require.resolve("better-sqlite3") },
      external: [require.resolve("better-sqlite3")],
      banner: { js: "import{createRequire as c}from'node:module';const require=c(import.meta.url);" }
    })
  )
  return file
})

/** Runs a process to its end. Gives its exit code and what it printed. */
const run = (file: string, ...args: ReadonlyArray<string>) =>
  Effect.async<{ readonly code: number | null; readonly printed: string }>((resume) => {
    const child = spawn(process.execPath, [file, ...args])
    let printed = ""
    child.stdout.on("data", (chunk) => (printed += String(chunk)))
    child.stderr.on("data", (chunk) => (printed += String(chunk)))
    child.on("close", (code) => resume(Effect.succeed({ code, printed })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

it.scopedLive(
  "P9 many processes: eight that start at once on an empty folder all come up, and none loses a write",
  () =>
    Effect.gen(function* () {
      const file = yield* program
      const data = join(yield* folder, "data")
      const names = Array.from({ length: 8 }, (_, index) => `s${index}`)
      const ends = yield* Effect.forEach(names, (name) => run(file, data, name, "10"), { concurrency: "unbounded" })
      expect(ends).toEqual(names.map(() => ({ code: 0, printed: "" })))
      yield* Effect.gen(function* () {
        const reader = yield* StorageReader
        const heads = yield* Effect.forEach(names, (name) => reader.session(SessionId.make(name)))
        expect(heads.map(({ head }) => head)).toEqual(names.map(() => 10))
      }).pipe(Effect.provide(layerStorage.pipe(Layer.provide([layerIds, Layer.succeed(DataDirectory, data)]))))
    }),
  60_000
)
