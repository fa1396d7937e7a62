/**
 * What `skein serve` serves, put together: the api and its reference, the page's files, and the guard around all of it.
 *
 * It listens before there is an engine, so that a taken port stops nothing and starts nothing. Until the engine is
 * there, and once it is gone, requests are answered with 503.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServer from "@effect/platform/HttpServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import { Context, Effect, Layer } from "effect"
import type { StorageFailed, StorageUnusable } from "../../domain/SkeinError.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as SkeinHttp from "../http/SkeinHttp.js"
import * as Access from "./access/Access.js"
import * as RunCaps from "./access/RunCaps.js"
import * as Listening from "./Listening.js"
import * as Me from "./Me.js"
import * as PageFiles from "./PageFiles.js"
import * as Reference from "./Reference.js"
import * as Watching from "./Watching.js"
import * as Workspaces from "./Workspaces.js"

export interface Options extends Listening.Options, Access.Options, Workspaces.Options {
  /** Whether the server was told to stop, and takes no new runs. Defaults to never. */
  readonly isStopping?: Effect.Effect<boolean> | undefined
}

/** Where a server listens. */
export class Server extends Context.Tag("skein/server/Server")<Server, Pick<Listening.Listening, "url" | "socket">>() {}

const isPage = (path: string): boolean => path === "/" || path.startsWith("/page/")

/** Routes each request to the part that answers it. */
const route = (
  page: HttpApp.Default,
  watching: ReadonlyMap<string, HttpApp.Default>,
  api: HttpApp.Default
): HttpApp.Default =>
  Effect.flatMap(HttpServerRequest, ({ method, url }) => {
    const [path = ""] = url.split("?")
    const reference = method === "GET" || method === "HEAD" ? Reference.files.get(path) : undefined
    if (isPage(path)) return page
    return path === "/me" ? Me.app : (watching.get(path) ?? reference ?? api)
  })

/** Serves a gateway until the layer is closed. */
export const layer = <E, R>(
  options: Options,
  gateway: Layer.Layer<Gateway, E, R>
): Layer.Layer<Server, E | Listening.ListenFailed | StorageUnusable | StorageFailed, R> =>
  Layer.unwrapScoped(
    Effect.map(Listening.listen(options), ({ servers, socket, url }) => {
      const serving = Effect.gen(function* () {
        const bounded = yield* RunCaps.bound(Workspaces.bound(yield* Gateway, options))
        const access = yield* Access.Access
        const api = yield* Effect.provideService(SkeinHttp.app, Gateway, bounded)
        const app = route(yield* PageFiles.load, Watching.apps(bounded, options.isStopping), api)
        for (const server of servers) {
          yield* Effect.provideService(access.serve(app), HttpServer.HttpServer, server)
        }
        return { url: url === null ? null : `${url}${options.basePath ?? ""}`, socket }
      })
      // With the engine there already: one that cannot be opened leaves no token behind.
      const guarded = Effect.flatMap(Layer.build(Access.layer(options)), (access) => Effect.provide(serving, access))
      return Layer.scoped(Server, guarded).pipe(Layer.provide([gateway, NodeHttpServer.layerContext]))
    })
  )
