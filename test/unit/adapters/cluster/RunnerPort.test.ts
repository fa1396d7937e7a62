import type { Socket } from "@effect/platform/Socket"
import { SocketServer } from "@effect/platform/SocketServer"
import { describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { connect } from "node:net"
import * as RunnerPort from "../../../../src/adapters/cluster/RunnerPort.js"

/** Connects, and stays connected until the end of the scope. */
const connected = (port: number) =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => connect({ host: "127.0.0.1", port })),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket) => Effect.async<void>((resume) => void socket.on("connect", () => resume(Effect.void)))
  )

describe("a runner's port", () => {
  it.scopedLive("closes even if somebody connects meanwhile and stays connected", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const layer = RunnerPort.layer({ host: "127.0.0.1", port: 0 })
      const { address, run } = yield* Effect.provide(SocketServer, yield* Layer.buildWithScope(layer, scope))
      const [begun, ending, gate] = yield* Effect.all([
        Deferred.make<void>(),
        Deferred.make<void>(),
        Deferred.make<void>()
      ])
      const handle = (socket: Socket) =>
        Effect.ensuring(
          Effect.zipRight(
            Deferred.succeed(begun, undefined),
            socket.run(() => {})
          ),
          Effect.zipRight(Deferred.succeed(ending, undefined), Deferred.await(gate))
        )
      yield* Scope.extend(Effect.forkScoped(run(handle)), scope)
      const port = address._tag === "TcpAddress" ? address.port : 0
      yield* connected(port)
      yield* Deferred.await(begun)

      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Deferred.await(ending)
      yield* connected(port)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
    })
  )
})
