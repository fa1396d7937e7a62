/**
 * The port that a runner listens on. It ends with its scope, even while peers are connected. The platform's server
 * waits for every connection to end, but nothing ends a connection that arrives while earlier ones are being ended, or
 * whose other side has stopped reading. A runner told to end would otherwise hang forever, with its engine at work.
 */
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { SocketServer, type SocketServerError } from "@effect/platform/SocketServer"
import { Effect, Layer, Scope } from "effect"
import { atMost } from "../../services/AtMost.js"

/** How long closing may take. The port stops listening as soon as closing begins. */
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
