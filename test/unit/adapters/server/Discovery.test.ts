import { expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope, TestClock } from "effect"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as Discovery from "../../../../src/adapters/server/Discovery.js"

const url = "http://127.0.0.1:4747"
const about = { version: "1.0.0", url, socket: null, page: url, root: "/work", model: "a/b" }

/** An identity of its own, like that of another process. */
const identity = Layer.fresh(Identity.layer)

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-found-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const findIn = (folder: string, version = "1.0.0") => Effect.provide(Discovery.find(folder, version), identity)

/** Publishes a server as another process would; closing the scope that it returns ends it. */
const publishIn = Effect.fnUntraced(function* (folder: string, changes: Partial<typeof about> = {}) {
  const scope = yield* Scope.make()
  const held = yield* Layer.buildWithScope(identity, scope)
  yield* Effect.provide(Scope.extend(Discovery.publish(folder, { ...about, ...changes }), scope), held)
  return scope
})

it.scoped("a server is found only by its own version, and only while its process is proven to be alive", () =>
  Effect.gen(function* () {
    const folder = join(yield* temporaryFolder, "running")
    const find = Effect.map(findIn(folder), (servers) => servers.length)
    expect(yield* find).toBe(0)

    const scope = yield* publishIn(folder)
    expect(yield* find).toBe(1)
    const [name = ""] = readdirSync(folder)
    const file = join(folder, name)
    expect([folder, file].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600])
    expect(readdirSync(folder)).toHaveLength(1)
    expect(yield* findIn(folder, "1.0.1")).toEqual([])

    const written = readFileSync(file, "utf8")
    const unlike: ReadonlyArray<readonly [string, string]> = [
      [`"pid":${process.pid}`, `"pid":${2 ** 22 + 1}`],
      [`"startTime":"`, `"startTime":"9`],
      [`"bootId":"`, `"bootId":"another`],
      [`"pidNamespace":"`, `"pidNamespace":"another`],
      [`"url":`, `"uri":`]
    ]
    for (const [part, other] of unlike) {
      expect(written).toContain(part)
      writeFileSync(file, written.replace(part, other))
      expect([other, yield* find]).toEqual([other, 0])
    }
    writeFileSync(file, written.slice(0, -20))
    expect(yield* find).toBe(0)
    yield* Scope.close(scope, Exit.void)
    expect(readdirSync(folder)).toEqual([])
  })
)

it.scoped("of several servers all are found, newest first, until each stops; what a killed one left is removed", () =>
  Effect.gen(function* () {
    const folder = join(yield* temporaryFolder, "running")
    const urls = Effect.map(findIn(folder), (servers) => servers.map(({ url }) => url))
    const older = yield* publishIn(folder, { url: "older" })
    yield* TestClock.adjust(1)
    const newer = yield* publishIn(folder, { url: "newer" })
    expect(yield* urls).toEqual(["newer", "older"])

    const [name = ""] = readdirSync(folder)
    const text = readFileSync(join(folder, name), "utf8")
    const [killed, elsewhere] = [join(folder, "killed.json"), join(folder, "elsewhere.json")]
    writeFileSync(killed, text.replace(`"pid":${process.pid}`, `"pid":${2 ** 22 + 1}`))
    writeFileSync(elsewhere, text.replace(`"pidNamespace":"`, `"pidNamespace":"another`))
    yield* Scope.close(yield* publishIn(folder), Exit.void)
    expect([killed, elsewhere].map((file) => existsSync(file))).toEqual([false, true])

    yield* Scope.close(newer, Exit.void)
    expect(yield* urls).toEqual(["older"])
    yield* Scope.close(older, Exit.void)
    expect(yield* urls).toEqual([])
  })
)
