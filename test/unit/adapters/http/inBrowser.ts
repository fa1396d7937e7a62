/**
 * The code that the test of the client runs in a browser: `skeinWatches(url)` creates a session, sends, and follows the
 * run.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { Chunk, Effect, Stream } from "effect"
import { SessionEvent } from "skein"
import { SkeinClient } from "skein/client"

/** The cursors of a run's events up to its end, and the text that the model wrote. */
const watch = (url: string) =>
  Effect.gen(function* () {
    const client = yield* SkeinClient.make({ url })
    const { id } = yield* client.create({ title: "made in a browser" })
    const refused = yield* Effect.flip(client.patch({ sessionId: id, title: "" }))
    const ref = yield* client.send({ sessionId: id, text: "go" })
    const events = yield* client
      .events({ sessionId: id })
      .pipe(Stream.takeUntil(SessionEvent.is("run.ended")), Stream.runCollect)
    const durable = Chunk.toReadonlyArray(Chunk.filter(events, SessionEvent.isDurable))
    const { stopReason } = yield* client.await(ref)
    return { cursors: durable.map(({ cursor }) => cursor), refused: refused._tag, stopReason }
  }).pipe(Effect.provide(FetchHttpClient.layer))

Object.assign(globalThis, { skeinWatches: (url: string) => Effect.runPromise(watch(url)) })
