/** A process of the tests: appends to a session of its own until it is killed, and prints how far it has come. */
import { Effect, Layer } from "effect"
import { Checked } from "../../../../src/domain/Checked.js"
import { layerIds } from "../../../../src/adapters/node/Identity.js"
import * as SqliteStorage from "../../../../src/adapters/sqlite/SqliteStorage.js"
import * as Limits from "../../../../src/domain/Limits.js"
import { userText } from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { DataDirectory } from "../../../../src/services/DataDirectory.js"
import * as EngineConfig from "../../../../src/services/EngineConfig.js"
import { Storage } from "../../../../src/services/storage/Storage.js"
import * as NewSession from "../../../support/NewSession.js"

const [, , directory = ""] = process.argv

const program = Effect.gen(function* () {
  const storage = yield* Storage
  const id = SessionId.make("busy")
  yield* storage.createSession({ ...NewSession.bare(id), title: "busy" })
  for (let count = 1; ; count++) {
    const message = yield* Checked.message(userText(`${count} ${"x".repeat(1_000)}`), Limits.defaults)
    yield* storage.append(id, [message])
    console.log(count)
  }
})

const layer = SqliteStorage.layer.pipe(
  Layer.provide([layerIds, Layer.succeed(DataDirectory, directory), EngineConfig.layer({ synchronous: "NORMAL" })])
)

void Effect.runPromise(Effect.provide(program, layer))
