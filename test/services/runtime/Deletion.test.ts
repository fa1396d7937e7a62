import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { ScriptedModel } from "skein/testing"
import { ground } from "./engines.js"
import { quiet } from "./fixture.js"

describe("starting", () => {
  it.scoped("P9 a queued run that is just being started is not taken for a dead one", () =>
    Effect.gen(function* () {
      const { model, open } = yield* ground
      const started = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const { gateway, seen, send, session } = yield* open("a", {
        storage: (storage) => ({
          ...storage,
          startNext: (sessionId, owner) =>
            Effect.tap(storage.startNext(sessionId, owner), () =>
              Effect.zipRight(Deferred.succeed(started, undefined), Deferred.await(goOn))
            )
        })
      })
      yield* model.play({ text: "…", hang: true }, ScriptedModel.text("second"), ScriptedModel.text("third"))
      const { id } = yield* session()
      const first = yield* send(id, "one")
      const second = yield* send(id, "two", { whenBusy: "queue" })
      yield* seen(first, "text.delta")
      yield* gateway.cancel(first.runId)
      yield* Deferred.await(started)
      const third = yield* Effect.fork(send(id, "three", { whenBusy: "queue" }))
      yield* quiet
      yield* Deferred.succeed(goOn, undefined)
      expect((yield* gateway.await(second)).stopReason).toBe("completed")
      expect((yield* gateway.await(yield* third)).stopReason).toBe("completed")
    })
  )
})
