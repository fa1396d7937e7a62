/**
 * A process of the tests: it creates and deletes sessions and files in them until it is killed. It prints how many
 * sessions it has created.
 */
import { Effect, Stream } from "effect"
import { userText } from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { engineOn } from "./populated.js"

const [, , data = ""] = process.argv

const idOf = (count: number) => SessionId.make(`session-${count}`)

const program = Effect.gen(function* () {
  const gateway = yield* Gateway
  for (let count = 1; ; count++) {
    const sessionId = idOf(count)
    yield* gateway.create({ id: sessionId, workdir: "/" })
    const save = (name: string) =>
      gateway.saveAsset({
        sessionId,
        name,
        mediaType: "text/plain",
        content: Stream.make(Buffer.from(`${name} of ${count}`))
      })
    const first = yield* save("first")
    yield* save("second")
    yield* gateway.append(sessionId, [userText(`message ${count}`)])
    yield* gateway.deleteAsset(sessionId, first.id)
    if (count > 3) yield* gateway.delete(idOf(count - 3))
    console.log(count)
  }
})

void Effect.runPromise(Effect.provide(program, engineOn(data)))
