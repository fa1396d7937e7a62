/**
 * The port that a runner listens on. It ends with its scope, whoever is connected: the platform's server waits for the end
 * of each connection, and nobody ends one that comes while those before it are being ended, or whose other side reads no
 * more. A runner that is told to end would stand there for ever, with its engine at work.
 */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { SocketServer, type SocketServerError } from "@effect/platform/SocketServer"
import { Effect, Layer, Scope } from "effect"
import { atMost } from "../../services/AtMost.js"

/** It listens no more from the beginning of this on. */
const closeMillis = 1_000

export const layer = (listen: {
  readonly host: string
  readonly port: number
}): Layer.Layer<SocketServer, SocketServerError> =>
  Layer.scoped(
    SocketServer,
    Effect.flatMap(
      Effect.acquireRelease(Scope.make(), (scope, exit) => atMost(closeMillis)(Scope.close(scope, exit))),
      (scope) => Scope.extend(NodeSocketServer.make(listen), scope)
    )
  )
