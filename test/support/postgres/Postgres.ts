/**
 * A real PostgreSQL for tests. The tests of a run share one server, which starts when the first of them asks; a test
 * that stops or breaks a server has one of its own. `SKEIN_TEST_POSTGRES`, a URL, names another server to share.
 *
 * Where no server is available, tests are skipped, and say why in one line; on CI they fail.
 */
import { Effect, Schema } from "effect"
import type { Scope } from "effect"
import { inject } from "vitest"
import * as Databases from "./Databases.js"
import { groupThatNeeds } from "./Group.js"
import * as Programs from "./Programs.js"
import type { Server } from "./Server.js"

export { ask, connect, once, terminateAll, waitsForLock } from "./Client.js"

const Answer = Schema.Struct({ number: Schema.Number, url: Schema.String, prefix: Schema.String })

/** Sends a request to the process of the test run. */
const post = (path: string): Effect.Effect<typeof Answer.Type> =>
  Effect.promise(async () => {
    const { token, url } = inject("postgres")
    const response = await fetch(`${url}${path}`, { method: "POST", headers: { authorization: token } })
    const text = await response.text()
    if (!response.ok) throw new Error(text)
    return Schema.decodeUnknownSync(Schema.parseJson(Answer))(text)
  })

const shared = Effect.runSync(Effect.cached(post("/shared")))

/** The URL of a new, empty database. It is removed with the scope, even if something is connected to it. */
export const database: Effect.Effect<string, never, Scope.Scope> = Effect.flatMap(shared, Databases.empty)

/** Like `database`, but a copy of one that `prepare` fills, once per run. `prepare` must leave no connection open. */
export const copyOf = (name: string, prepare: (url: string) => Effect.Effect<void>) =>
  Effect.flatMap(shared, (it) => Databases.copy(it, name, prepare))

const own = ({ number, url }: typeof Answer.Type): Server => {
  const does = (deed: string) => post(`/own/${number}/${deed}`)
  return {
    url,
    restart: does("restart"),
    freeze: does("freeze"),
    thaw: does("thaw"),
    kill: does("kill"),
    shutDown: does("shutDown"),
    standby: Effect.map(does("standby"), own)
  }
}

/** A server of the test's own, which may be stopped and broken. It ends with the scope, and so does its standby. */
export const server: Effect.Effect<Server, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(post("/own"), ({ number }) => post(`/own/${number}/end`)),
  own
)

/** Tests that need a database. */
export const describe = groupThatNeeds(
  shared,
  process.env["SKEIN_TEST_POSTGRES"] === undefined ? Programs.missing() : null
)

/** Tests that need a server of their own. */
export const describeOwn = groupThatNeeds(post("/ready"), Programs.missing())
