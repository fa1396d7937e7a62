/** A process of the tests: opens the data folder that it is given, makes a session and writes to it, one commit each. */
import { Effect, Layer, Option } from "effect"
import { layerIds } from "../../../src/adapters/node/Identity.js"
import { layerStorage } from "../../../src/adapters/node.js"
import { userText } from "../../../src/domain/Message.js"
import { SessionId } from "../../../src/domain/Session.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import { Storage } from "../../../src/services/Storage.js"

const [, , directory = "", name = "", count = "0"] = process.argv

const program = Effect.gen(function* () {
  const storage = yield* Storage
  const id = SessionId.make(name)
  yield* storage.createSession({ id, title: name, owner: Option.none(), workdir: "/", model: null, metadata: {} })
  for (let index = 0; index < Number(count); index++) yield* storage.append(id, [userText(`${name} ${index}`)])
})

const layer = layerStorage.pipe(Layer.provide([layerIds, Layer.succeed(DataDirectory, directory)]))

void Effect.runPromise(Effect.provide(program, layer))
