import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import * as Failure from "../../../../src/adapters/cli/Failure.js"
import * as LiveServer from "../../../../src/adapters/cli/LiveServer.js"
import * as RemoteGateway from "../../../../src/adapters/cli/RemoteGateway.js"
import * as SkeinClient from "../../../../src/adapters/http/client/SkeinClient.js"
import { Principals } from "../../../../src/adapters/http/Principals.js"
import { Forbidden, SessionNotFound } from "../../../../src/domain/SkeinError.js"
import * as Run from "../../../../src/domain/Run.js"
import { Cursor, SessionId } from "../../../../src/domain/Session.js"
import { serve } from "../http/server.js"
import { open } from "../../services/runtime/fixture.js"

const at = (port: number, onLost: Effect.Effect<void> = Effect.void) =>
  SkeinClient.make({ url: `http://127.0.0.1:${port}`, onLost }).pipe(
    Effect.map(RemoteGateway.make),
    Effect.provide(FetchHttpClient.layer)
  )

const sessionId = SessionId.make("ses_none")

/** How the command reports the exit of an effect: its text, and whether it is a defect. */
const said = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => ({
    isDefect: Exit.isFailure(exit) && Cause.isDie(exit.cause),
    text: Exit.isFailure(exit) ? Failure.report(exit.cause) : null
  }))

it.scopedLive(
  "a server's gateway fails as the gateway does; what only a request fails with is a defect with a text",
  () =>
    Effect.gen(function* () {
      const engine = yield* open()
      const { port } = yield* serve(engine.gateway)
      const near = yield* at(port)
      expect(yield* Effect.flip(near.session(sessionId))).toEqual(new SessionNotFound({ sessionId }))
      const { id } = yield* near.create({})
      expect(yield* near.session(id)).toEqual(yield* engine.gateway.session(id))
      expect(yield* Stream.runHead(near.events({ sessionId: id }))).toMatchObject({
        value: { type: "session.created" }
      })

      const nobody = Layer.succeed(Principals, Effect.fail(new Forbidden({ operation: "session" })))
      const closed = yield* at((yield* serve(engine.gateway, nobody)).port)
      const refusal = {
        isDefect: true,
        text: expect.stringMatching(/^skein: the server .* refused the request: Forbidden$/)
      }
      expect(yield* said(closed.session(id))).toEqual(refusal)
      expect(yield* said(Stream.runDrain(closed.transcript({ sessionId: id })))).toEqual(refusal)
      expect(yield* Effect.flip(closed.create({}))).toBeInstanceOf(Forbidden)

      const lost = yield* Deferred.make<void>()
      const away = yield* at(1, Effect.asVoid(Deferred.succeed(lost, undefined)))
      const gone = { isDefect: true, text: expect.stringMatching(/^skein: the server .* no longer answers/) }
      expect(yield* said(away.cancel(Run.Id.make("run_none")))).toEqual(gone)
      const ref = { sessionId, runId: Run.Id.make("run_none"), cursor: Cursor.make(0) }
      const waiting = yield* Effect.fork(away.await(ref))
      yield* Deferred.await(lost)
      expect(yield* Fiber.poll(waiting)).toMatchObject({ _tag: "None" })
      yield* Fiber.interrupt(waiting)
    })
)

it.scoped("a command goes its own way where another folder or model is meant", () =>
  Effect.gen(function* () {
    const { gateway } = yield* open()
    const server: LiveServer.LiveServer = { gateway, model: "a/b", holds: (path) => path.startsWith("/root") }
    const serves = (newWorkdir: string | null, model: string | null) => LiveServer.serves(server, { newWorkdir, model })
    expect([serves(null, null), serves("/root/in", null), serves("/root", "a/b")]).toEqual([true, true, true])
    expect([serves("/else", null), serves(null, "a/c"), serves("/else", "a/b")]).toEqual([false, false, false])
  })
)
