/**
 * How commands on this host find the servers of a place: each has a file of its own in one folder, which says where it
 * listens and which process it is. The file holds no token. It is there while the server takes work, and is written
 * whole or not at all.
 *
 * A file left by a killed server names a process that is proven dead; the next server removes it. A file is believed
 * only if its process is proven to be alive, so that no command speaks to a program that has taken over the port.
 */
import { Clock, Effect, Option, Order, Schema } from "effect"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { EngineId } from "../../domain/Lease.js"
import { Engines } from "../../services/Engines.js"
import * as FolderCreation from "../node/FolderCreation.js"
import * as PrivateFile from "../node/PrivateFile.js"
import * as Unusable from "../sqlite/Unusable.js"

const Server = Schema.Struct({
  /** The program's version. */
  version: Schema.String,
  process: EngineId,
  /** In milliseconds since the epoch. */
  startedAt: Schema.Int,
  /** Null if it listens only on a socket. */
  url: Schema.NullOr(Schema.String),
  socket: Schema.NullOr(Schema.String),
  /** The URL of the page, without a slash at the end; null if it listens only on a socket, without a proxy. */
  page: Schema.NullOr(Schema.String),
  /** The folder within which its clients may name folders. */
  root: Schema.String,
  /** `PROVIDER/MODEL`, for sessions that name no model. */
  model: Schema.String
})
export type Server = typeof Server.Type

const ServerJson = Schema.parseJson(Server)
const decode = Schema.decodeOption(ServerJson)
const encode = Schema.encodeSync(ServerJson)

const ending = ".json"

interface Found {
  readonly file: string
  readonly server: Server
}

const newestFirst = Order.reverse(Order.mapInput(Order.number, ({ server }: Found) => server.startedAt))

const read = Option.liftThrowable((file: string) => readFileSync(file, "utf8"))

/** The files in a folder that describe servers, newest first. */
const described = (folder: string) =>
  Effect.try(() => PrivateFile.names(folder)).pipe(
    Effect.orElseSucceed(() => []),
    Effect.map((names) =>
      names
        .filter((name) => name.endsWith(ending))
        .map((name) => join(folder, name))
        .flatMap((file) =>
          Option.toArray(Option.map(Option.flatMap(read(file), decode), (server) => ({ file, server })))
        )
        .sort(newestFirst)
    )
  )

const remove = (file: string) => Effect.ignore(Effect.try(() => rmSync(file, { force: true })))

/** Makes a server discoverable in a folder for as long as the scope. */
export const publish = Effect.fn("Discovery.publish")(function* (
  folder: string,
  about: Omit<Server, "process" | "startedAt">
) {
  const { liveness, self } = yield* Engines
  const startedAt = yield* Clock.currentTimeMillis
  const file = join(folder, `${self.instance}${ending}`)
  const write = Effect.try({
    try: () => {
      FolderCreation.make(folder)
      PrivateFile.write(file, `${encode({ ...about, process: self, startedAt })}\n`)
    },
    catch: Unusable.fromUnknown(folder)
  })
  yield* Effect.acquireRelease(write, () => remove(file))
  for (const { file, server } of yield* described(folder)) {
    if ((yield* liveness(server.process)) === "dead") yield* remove(file)
  }
})

/** Returns the servers of this version in a folder whose processes are proven to be alive, newest first. */
export const find = Effect.fn("Discovery.find")(function* (folder: string, version: string) {
  const { liveness } = yield* Engines
  const servers = (yield* described(folder)).map(({ server }) => server).filter((server) => server.version === version)
  return yield* Effect.filter(servers, (server) => Effect.map(liveness(server.process), (found) => found === "alive"))
})
