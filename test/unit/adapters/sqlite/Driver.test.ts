import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { appendFileSync, copyFileSync, cpSync, existsSync, mkdirSync, realpathSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join } from "node:path"
import { bundle } from "../../../support/programs/Bundle.js"
import { start } from "../../../support/programs/Process.js"
import { folder } from "../../services/storage/disk.js"

const own = dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json"))

/** A folder with a driver of its own, and the program next to it. */
const host = Effect.gen(function* () {
  const directory = realpathSync(yield* folder)
  const program = yield* bundle(new URL("./secondCopy.ts", import.meta.url), { whole: true })
  const [copied, driver] = [join(directory, basename(program)), join(directory, "node_modules", "better-sqlite3")]
  mkdirSync(driver, { recursive: true })
  copyFileSync(program, copied)
  for (const name of ["package.json", "lib", "build/Release/better_sqlite3.node"]) {
    cpSync(join(own, name), join(driver, name), { recursive: true })
  }
  for (const name of ["bindings", "file-uri-to-path"]) {
    cpSync(join(dirname(own), name), join(driver, "node_modules", name), { recursive: true })
  }
  return { directory, driver, program, copied, data: join(directory, "data") }
})

/** Runs code in a process of its own and returns what it prints. */
const said = (body: string, ...parameters: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const script = `const [here, there, data] = process.argv.slice(1)\n${body}`
    const child = yield* start(process.execPath, ["--input-type=module", "-e", script, ...parameters], {
      env: { PATH: process.env["PATH"] ?? "" }
    })
    const { code, stderr, stdout } = yield* child.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    return Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Schema.String)))(stdout)
  })

describe("one copy of SQLite for a file in a process", () => {
  it.scopedLive("a file that is open through another copy is refused, and both are named", () =>
    Effect.gen(function* () {
      const { copied, data, driver, program } = yield* host
      const answers = yield* said(
        `const [first, second] = [await import(here), await import(there)]
         const open = await first.open(data)
         const while_ = [(await second.open(data)).said, second.connect(data + "/skein.db"), first.connect(data + "/skein.db")]
         await open.close()
         console.log(JSON.stringify([open.said, ...while_, second.connect(data + "/skein.db"), (await second.open(data)).said]))`,
        program,
        copied,
        data
      )
      const version = String.raw`SQLite \d+\.\d+\.\d+ of `
      const refused = expect.stringMatching(
        new RegExp(`^Cannot use ${data}/skein.db: two-copies \\(${version}${own}; this is ${version}${driver}\\)$`)
      )
      expect(answers).toEqual(["opened", refused, refused, "opened", "opened", "opened"])
    })
  )

  it.scopedLive("no connection is opened through an SQLite that is too old, and nothing is created for one", () =>
    Effect.gen(function* () {
      const { copied, data, driver, program } = yield* host
      appendFileSync(
        join(driver, "lib", "database.js"),
        `const { prepare } = Database.prototype
         Database.prototype.prepare = function (text) {
           return prepare.call(this, text.replace("sqlite_version()", "'3.51.2'"))
         }`
      )
      const answers = yield* said(
        `const old = await import(there)
         console.log(JSON.stringify([old.connect(data + "-new"), (await old.open(data)).said]))`,
        program,
        copied,
        data
      )
      const refused = (path: string) => `Cannot use ${path}: old-sqlite (SQLite 3.51.2 of ${driver})`
      expect(answers).toEqual([refused(`${data}-new`), refused(join(data, "skein.db"))])
      expect([`${data}-new`, data].filter((path) => existsSync(path))).toEqual([])
    })
  )

  it.scopedLive("two copies work next to each other on files of their own", () =>
    Effect.gen(function* () {
      const { copied, data, program } = yield* host
      const answers = yield* said(
        `const [first, second] = [await import(here), await import(there)]
         const open = await first.open(data)
         console.log(JSON.stringify([open.said, (await second.open(data + "-other")).said]))
         await open.close()`,
        program,
        copied,
        data
      )
      expect(answers).toEqual(["opened", "opened"])
    })
  )
})
