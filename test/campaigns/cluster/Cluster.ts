/** A cluster for a test: real processes over a schema of one PostgreSQL, and a front end in the test itself. */
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type * as PostgresStorage from "../../../src/adapters/postgres/PostgresStorage.js"
import { SkeinCluster } from "../../../src/cluster.js"
import { Agents, Gateway, Model, Permissions, Session } from "../../../src/index.js"
import { ScriptedModel } from "../../../src/scripted-model.js"
import { eventually } from "../../support/Eventually.js"
import { bundle } from "../../support/programs/Bundle.js"
import { freePort } from "../../support/postgres/Server.js"
import * as Process from "../../support/programs/Process.js"
import { fresh } from "../../unit/adapters/postgres/storage.js"
import { folder } from "../../unit/services/storage/disk.js"
import { quick, Setup } from "./Setup.js"

export interface Runner extends Process.RunningProcess {
  readonly port: number
}

/** A cluster over a schema of a database. */
export const over = Effect.fnUntraced(function* ({ schema, url }: Pick<PostgresStorage.Options, "schema" | "url">) {
  const root = yield* folder
  const program = yield* bundle(new URL("runner.ts", import.meta.url), { whole: true })

  const start = Effect.fnUntraced(function* (given: Partial<Setup> = {}) {
    const port = given.port ?? (yield* freePort)
    const address = port
    const setup = { url: Redacted.value(url), schema, folder: root, settings: quick, address, ...given, port }
    const running = yield* Process.start(process.execPath, [program, Schema.encodeSync(Setup)(setup)])
    const line = yield* running.line
    if (line._tag === "None") {
      const { stderr } = yield* running.ended
      return yield* Effect.dieMessage(`a runner did not come up: ${stderr.slice(-2_000)}`)
    }
    return { ...running, port } satisfies Runner
  })

  const clientWith = (settings: Partial<typeof quick>) =>
    Effect.map(Layer.build(SkeinCluster.client({ ...quick, url, schema, ...settings })), Context.get(Gateway.Gateway))

  /** A runner in the test's own process, whose model answers immediately. */
  const own = Effect.fnUntraced(function* (settings: Partial<typeof quick>) {
    const address = { host: "127.0.0.1", port: yield* freePort }
    const models = Model.always(ScriptedModel.make([ScriptedModel.text("mine")]))
    const agents = Agents.layer({ models, policy: Permissions.allowAll })
    const given = { ...quick, ...settings }
    const runner = SkeinCluster.layer({ ...given, url, schema, address, placements: [], recoverMillis: null })
    return Context.get(yield* Layer.build(Layer.provide(runner, agents)), Gateway.Gateway)
  })

  const callsOf = (sessionId: Session.Id) => {
    const path = join(root, `${sessionId}.calls`)
    const written = existsSync(path) ? readFileSync(path, "utf8").split("\n") : []
    // What follows the last line end is still being written.
    return written.slice(0, -1).map((line) => {
      const [pid, callId = ""] = line.split(" ")
      return { pid: Number(pid), callId }
    })
  }

  const open = (sessionId: Session.Id, gate: "call" | "text") =>
    Effect.sync(() => writeFileSync(join(root, `${sessionId}.${gate}`), ""))

  return {
    start,
    own,
    clientWith,
    client: clientWith({}),
    schema,
    url,
    callsOf,
    /** The runner, among these, in which the session's `count`th call has begun. */
    working: (runners: ReadonlyArray<Runner>, sessionId: Session.Id, count = 1) =>
      Effect.gen(function* () {
        const calls = yield* eventually(
          Effect.sync(() => callsOf(sessionId)),
          (calls) => calls.length >= count
        )
        const owner = runners.find(({ pid }) => pid === calls[count - 1]?.pid)
        return owner ?? (yield* Effect.dieMessage("the call runs in none of these runners"))
      }),
    open,
    openAll: (sessionId: Session.Id) => Effect.zipRight(open(sessionId, "call"), open(sessionId, "text"))
  }
})

/** A cluster over a schema of its own. */
export const make = Effect.flatMap(fresh, over)
