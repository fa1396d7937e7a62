import { expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Scope } from "effect"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as Discovery from "../../../../src/adapters/server/Discovery.js"

const url = "http://127.0.0.1:4747"
const about = { version: "1.0.0", url, socket: null, page: url, root: "/work", model: "a/b" }

/** An identity of its own, like that of another process. */
const identity = Layer.fresh(Identity.layer)

it.scoped("a server is found only by its own version, and only while its process is proven to be alive", () =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "skein-found-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    const file = join(folder, "server.json")
    const find = Effect.map(Effect.provide(Discovery.find(file, "1.0.0"), identity), Option.isSome)
    expect(yield* find).toBe(false)

    const scope = yield* Scope.make()
    const publish = (changes: Partial<typeof about> = {}) =>
      Effect.provide(Discovery.publish(file, { ...about, ...changes }), identity)
    const held = yield* Layer.buildWithScope(identity, scope)
    yield* Effect.provide(Scope.extend(Discovery.publish(file, about), scope), held)
    expect(yield* find).toBe(true)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(["server.json"])
    expect(yield* Effect.provide(Discovery.find(file, "1.0.1"), identity)).toEqual(Option.none())

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
      expect([other, yield* find]).toEqual([other, false])
    }
    writeFileSync(file, written.slice(0, -20))
    expect(yield* find).toBe(false)

    yield* publish({ url: "http://127.0.0.1:4748" })
    yield* Scope.close(scope, Exit.void)
    expect(readFileSync(file, "utf8")).toContain("4748")
  })
)
