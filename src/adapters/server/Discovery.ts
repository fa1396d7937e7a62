/**
 * How commands on this host find a server: by a file in its folder that says where it listens and which process it is.
 * The file holds no token. It is there while the server takes work, and is written whole or not at all.
 *
 * A file left by a killed server names a process that is proven dead. A file is believed only if its process is proven
 * to be alive, so that no command speaks to a program that has taken over the port.
 */
import { Effect, Schema } from "effect"
import { readFileSync, rmSync } from "node:fs"
import { EngineId } from "../../domain/Lease.js"
import { Engines } from "../../services/Engines.js"
import * as PrivateFile from "../node/PrivateFile.js"
import * as Unusable from "../sqlite/Unusable.js"

const Server = Schema.Struct({
  /** The program's version. */
  version: Schema.String,
  process: EngineId,
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

const read = (file: string) =>
  Effect.option(
    Effect.flatMap(
      Effect.try(() => readFileSync(file, "utf8")),
      (text) => decode(text)
    )
  )

/** Makes a server discoverable for as long as the scope. */
export const publish = Effect.fn("Discovery.publish")(function* (file: string, about: Omit<Server, "process">) {
  const { self } = yield* Engines
  yield* Effect.acquireRelease(
    Effect.try({
      try: () => PrivateFile.write(file, `${encode({ ...about, process: self })}\n`),
      catch: Unusable.fromUnknown(file)
    }),
    () =>
      Effect.flatMap(read(file), (found) =>
        // Another server may have started meanwhile.
        Effect.sync(() => {
          if (found._tag === "Some" && found.value.process.instance === self.instance) rmSync(file, { force: true })
        })
      )
  )
})

/** Returns the server that a file describes; none if its process is not proven to be alive, or has another version. */
export const find = Effect.fn("Discovery.find")(function* (file: string, version: string) {
  const { liveness } = yield* Engines
  const server = yield* Effect.flatten(read(file))
  const isAlive = (yield* liveness(server.process)) === "alive"
  return yield* Effect.filterOrFail(Effect.succeed(server), () => isAlive && server.version === version)
}, Effect.option)
