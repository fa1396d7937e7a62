/**
 * What a command loads before it works, as V8 reports it for a real process: most of a start is compiling. Counted, not
 * timed. The limits are a tenth above the values at the time when they were set.
 */
import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { mkdir, readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Program from "./Program.js"

const Coverage = Schema.parseJson(Schema.Struct({ result: Schema.Array(Schema.Struct({ url: Schema.String })) }))

/** The files of the program that one command loads, and their bytes. */
const loadedBy = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const home = yield* Program.make({ "answer.json": JSON.stringify([{ text: "done" }]) })
    const folder = home.at("coverage")
    yield* Effect.promise(() => mkdir(folder))
    const model = { SKEIN_MODEL: `script/${join(home.workdir, "answer.json")}` }
    // Where nothing is stored yet, some commands load less.
    expect(yield* home.run(["run", "go"], model)).toMatchObject({ code: 0 })
    expect(yield* home.run(args, { ...model, NODE_V8_COVERAGE: folder })).toMatchObject({ code: 0 })
    return yield* Effect.promise(async () => {
      const reports = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), "utf8")))
      const urls = reports.flatMap((report) => Schema.decodeSync(Coverage)(report).result.map(({ url }) => url))
      const files = [...new Set(urls)].filter((url) => url.startsWith("file:") && url.includes("/dist/"))
      const sizes = await Promise.all(files.map(async (url) => (await stat(fileURLToPath(url))).size))
      return { files: files.length, kilobytes: Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1000) }
    })
  })

const within = (limit: { readonly files: number; readonly kilobytes: number }, args: ReadonlyArray<string>) =>
  it.scopedLive(`skein ${args.join(" ")} loads at most ${limit.files} files and ${limit.kilobytes} kB`, () =>
    Effect.gen(function* () {
      const loaded = yield* loadedBy(...args)
      expect(loaded.files).toBeGreaterThan(0)
      expect(loaded.files).toBeLessThanOrEqual(limit.files)
      expect(loaded.kilobytes).toBeLessThanOrEqual(limit.kilobytes)
    })
  )

within({ files: 5, kilobytes: 28 }, ["--version"])
within({ files: 5, kilobytes: 28 }, ["help", "run"])
within({ files: 72, kilobytes: 1150 }, ["sessions", "list"])
within({ files: 92, kilobytes: 1310 }, ["run", "go"])
within({ files: 49, kilobytes: 940 }, ["doctor"])
within({ files: 8, kilobytes: 590 }, ["acp"])
