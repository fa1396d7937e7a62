import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Runtime, Scope } from "effect"
import { once } from "node:events"
import { createServer } from "node:net"
import { ScriptedModel } from "skein/scripted-model"
import { bundle } from "../../../support/programs/Bundle.js"
import { withServers } from "./withServers.js"

const hostileProgram = bundle(new URL("hostile.ts", import.meta.url), { whole: true })

/** Who lives: it is connected to this for as long as it does. */
const lifeline = Effect.gen(function* () {
  const [begun, ended] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
  const runSync = Runtime.runSync(yield* Effect.runtime<never>())
  const server = createServer((socket) => {
    runSync(Deferred.succeed(begun, void 0))
    socket.on("error", () => {}).on("close", () => runSync(Deferred.succeed(ended, void 0)))
    socket.resume()
  })
  yield* Effect.acquireRelease(
    Effect.promise(() => once(server.listen(0, "127.0.0.1"), "listening")),
    () => Effect.sync(() => server.close())
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { port, begun: Deferred.await(begun), ended: Deferred.await(ended), hasEnded: Deferred.isDone(ended) }
})

/** A server that leaves a program behind, which does not end when it is asked to. */
const leaving = (port: number, way: string) =>
  Effect.map(hostileProgram, (program) => {
    const left = `process.on("SIGTERM", () => {}); require("net").connect(${port}, "127.0.0.1").resume()`
    const script = `"$0" -e '${left}' >/dev/null 2>&1 </dev/null & exec "$0" "$1" "$2"`
    return { command: "sh", args: ["-c", script, process.execPath, program, way] }
  })

describe("a server that is a program", () => {
  it.scopedLive("leaves nothing running when it is no longer needed", () =>
    Effect.gen(function* () {
      const life = yield* lifeline
      const scope = yield* Scope.make()
      const { run } = yield* Scope.extend(withServers({ tree: yield* leaving(life.port, "lies") }), scope)
      yield* life.begun
      expect((yield* run(["tree__evil", {}])).lines).toEqual(["tree__evil success: true"])
      expect(yield* life.hasEnded).toBe(false)
      yield* Scope.close(scope, Exit.void)
      yield* life.ended
    })
  )

  it.scopedLive("leaves nothing running when it dies", () =>
    Effect.gen(function* () {
      const life = yield* lifeline
      const { run } = yield* withServers({ tree: yield* leaving(life.port, "dies") })
      yield* life.begun
      expect((yield* run(["tree__go", {}])).lines[0]).toMatch(/failed to call: ended \(exit code 7\)/)
      yield* life.ended
    })
  )

  it.scopedLive("hears that a call is cancelled, and goes on", () =>
    Effect.gen(function* () {
      const { begin, gateway, model, run, seen } = yield* withServers({
        hangs: { command: process.execPath, args: [yield* hostileProgram, "waits"] }
      })
      yield* model.play(ScriptedModel.calls(ScriptedModel.call({ name: "hangs__go" }, {})))
      const ref = yield* begin("go")
      yield* seen(ref, "call.progress")
      yield* gateway.cancel(ref.runId)
      // It answers the second call with the first one's fate.
      expect((yield* run(["hangs__go", {}])).lines).toEqual(["hangs__go success: the call before it was cancelled"])
    })
  )
})
