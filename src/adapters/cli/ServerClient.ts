/** Talks to a server that was found, through its socket if it has one. Loaded when there is a server. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, Option } from "effect"
import { realpathSync } from "node:fs"
import type { AgentOptions } from "node:http"
import * as SkeinClient from "../http/client/SkeinClient.js"
import * as Identity from "../node/Identity.js"
import * as TokenFolder from "../server/access/TokenFolder.js"
import * as Discovery from "../server/Discovery.js"
import * as Workspaces from "../server/Workspaces.js"
import type { LiveServer } from "./LiveServer.js"
import * as RemoteGateway from "./RemoteGateway.js"
import type { ServerFolder } from "./ServerFolder.js"

/** How long a server has to show that it is alive. */
const patience = "3 seconds"

/** The URL that stands for a socket. */
const atSocket = "http://localhost"

const clientOf = ({ socket, url }: Discovery.Server, token: string, onLost: Effect.Effect<void>) => {
  const agent: AgentOptions & { readonly socketPath?: string } = socket === null ? {} : { socketPath: socket }
  return Effect.provide(
    SkeinClient.make({
      url: socket === null ? (url ?? atSocket) : atSocket,
      headers: { authorization: `Bearer ${token}` },
      onLost
    }),
    Layer.provide(NodeHttpClient.layerWithoutAgent, NodeHttpClient.makeAgentLayer(agent))
  )
}

const holds = (root: string) => (workdir: string) =>
  Option.exists(Option.liftThrowable((path: string) => realpathSync(path))(workdir), (path) =>
    Workspaces.isWithin(root, path)
  )

/** Null when the server is not proven to be alive, or does not answer. */
export const connect = Effect.fn("ServerClient.connect")(
  function* ({ found, path }: ServerFolder, version: string, onLost: Effect.Effect<void>) {
    const server = yield* Effect.flatten(Discovery.find(found, version))
    const token = yield* Effect.flatMap(TokenFolder.localIfThere(path), Effect.fromNullable)
    const client = yield* clientOf(server, token, yield* Effect.once(onLost))
    yield* Effect.timeout(client.sessions({ limit: 1 }), patience)
    return { gateway: RemoteGateway.make(client), model: server.model, holds: holds(server.root) } satisfies LiveServer
  },
  Effect.provide(Layer.fresh(Identity.layer)),
  Effect.orElseSucceed((): LiveServer | null => null)
)
