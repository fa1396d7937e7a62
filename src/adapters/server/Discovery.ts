/**
 * How commands of this host find a server: a file in its folder, which says where it listens and which process it is. It
 * holds no token. It is there while the server takes work, and is written whole or not at all.
 *
 * A file that a killed server left names a process that is proven dead. Only one whose process is proven to be alive is
 * believed, so that nobody who has its port meanwhile is spoken to.
 */
import { Effect, Schema } from "effect"
import { readFileSync, rmSync } from "node:fs"
import { EngineId } from "../../domain/Lease.js"
import { Engines } from "../../services/Engines.js"
import * as PrivateFile from "../node/PrivateFile.js"
import * as Unusable from "../sqlite/Unusable.js"

const Server = Schema.Struct({
  /** Of the program. */
  version: Schema.String,
  process: EngineId,
  /** Null where it listens at a socket alone. */
  url: Schema.NullOr(Schema.String),
  socket: Schema.NullOr(Schema.String),
  /** The folder within which its clients may name folders. */
  root: Schema.String,
  /** `PROVIDER/MODEL`, of sessions that name none. */
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

/** Has a server be found for as long as the scope. */
export const publish = Effect.fn("Discovery.publish")(function* (file: string, about: Omit<Server, "process">) {
  const { self } = yield* Engines
  yield* Effect.acquireRelease(
    Effect.try({
      try: () => PrivateFile.write(file, `${encode({ ...about, process: self })}\n`),
      catch: Unusable.fromUnknown(file)
    }),
    () =>
      Effect.flatMap(read(file), (found) =>
        // Another server may have come meanwhile.
        Effect.sync(() => {
          if (found._tag === "Some" && found.value.process.instance === self.instance) rmSync(file, { force: true })
        })
      )
  )
})

/** The server that a file tells of; none when its process is not proven to be alive, or is of another version. */
export const find = Effect.fn("Discovery.find")(function* (file: string, version: string) {
  const { liveness } = yield* Engines
  const server = yield* Effect.flatten(read(file))
  const isAlive = (yield* liveness(server.process)) === "alive"
  return yield* Effect.filterOrFail(Effect.succeed(server), () => isAlive && server.version === version)
}, Effect.option)
