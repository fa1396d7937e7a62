/** Keeps the servers of a test run, in the process that runs Vitest. */
import { Effect, Exit, Scope } from "effect"
import { randomBytes } from "node:crypto"
import type { Answer, Keeper } from "./Control.js"
import * as Databases from "./Databases.js"
import * as Servers from "./Server.js"

const make = Effect.gen(function* () {
  const prefix = `skein_test_${randomBytes(4).toString("hex")}`
  const scope = yield* Effect.scope
  const servers = yield* Effect.cached(Scope.extend(Servers.make(), scope))
  const start = Effect.gen(function* () {
    const own = yield* Scope.fork(scope, { _tag: "Sequential" })
    return { own, server: yield* Effect.flatMap(servers, ({ start }) => Scope.extend(start, own)) }
  })
  const started: Array<Effect.Effect.Success<typeof start>> = []
  const answerWith = (it: Effect.Effect.Success<typeof start>): Answer => ({
    number: started.push(it) - 1,
    prefix,
    url: it.server.url
  })
  const given = process.env["SKEIN_TEST_POSTGRES"]
  const shared = yield* Effect.cached(
    given === undefined
      ? Effect.map(start, ({ server: { url } }) => ({ prefix, url }))
      : Scope.extend(Effect.acquireRelease(Effect.succeed({ prefix, url: given }), Databases.removeAll), scope)
  )

  return (path: string): Effect.Effect<Answer, unknown> =>
    Effect.gen(function* () {
      if (path === "/ready") return yield* Effect.as(servers, { number: -1, prefix, url: "" })
      if (path === "/shared") return { number: -1, ...(yield* shared) }
      if (path === "/own") return answerWith(yield* start)
      const [, number = "", deed = ""] = /^\/own\/(\d+)\/(\w+)$/.exec(path) ?? []
      const it = started[Number(number)]
      if (it === undefined) return yield* Effect.fail(new Error(`There is no ${path}`))
      if (deed === "standby") {
        const own = yield* Scope.fork(it.own, { _tag: "Sequential" })
        return answerWith({ own, server: yield* Scope.extend(it.server.standby, own) })
      }
      if (deed === "restart") yield* it.server.restart
      else if (deed === "kill") yield* it.server.kill
      else if (deed === "shutDown") yield* it.server.shutDown
      else if (deed === "freeze") yield* it.server.freeze
      else if (deed === "thaw") yield* it.server.thaw
      else yield* Scope.close(it.own, Exit.void)
      return { number: Number(number), prefix, url: it.server.url }
    })
})

export const open = async (): Promise<Keeper> => {
  const scope = Effect.runSync(Scope.make())
  const answer = await Effect.runPromise(Scope.extend(make, scope))
  return {
    answer: (path) => Effect.runPromise(answer(path)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
