/** Imports an export from a file or stdin: all of its sessions, or none. */
import * as Path from "@effect/platform/Path"
import { Effect, Stream } from "effect"
import { createReadStream, statSync } from "node:fs"
import type { Readable } from "node:stream"
import { Gateway } from "../../../services/gateway/Gateway.js"
import { codeOf } from "../../ErrorCode.js"
import type { ValuesOf } from "../CommandLine.js"
import * as Engine from "../Engine.js"
import { TransferFailed } from "../Failure.js"
import * as OwnerName from "../OwnerName.js"
import * as Place from "../Place.js"
import * as Progress from "../terminal/Progress.js"
import { Screen } from "../terminal/Screen.js"
import * as TerminalText from "../terminal/TerminalText.js"
import type * as Commands from "../texts/Commands.js"
import * as Texts from "../texts/Transfer.js"

const bytesOf = (name: string, from: () => Readable): Stream.Stream<Uint8Array, TransferFailed> =>
  Stream.suspend(() =>
    Stream.fromAsyncIterable<unknown, TransferFailed>(
      from(),
      (thrown) => new TransferFailed({ detail: Texts.unreadable(name, codeOf(thrown)) })
    )
  ).pipe(Stream.filter((piece) => piece instanceof Uint8Array))

export const run = Effect.fn("cli.import")(function* (given: ValuesOf<typeof Commands.import>) {
  const screen = yield* Screen
  const owner = yield* OwnerName.read(given.value("owner"))
  const file = given.argument(0) ?? ""
  const path = file === "-" ? null : (yield* Path.Path).resolve(file)
  const name = path === null ? Texts.stdin : TerminalText.line(path)
  const content = bytesOf(name, () => (path === null ? process.stdin : createReadStream(path)))
  // A missing file is reported before a data folder is created.
  const total =
    path === null
      ? null
      : yield* Effect.try({
          try: () => statSync(path).size,
          catch: (thrown) => new TransferFailed({ detail: Texts.unreadable(name, codeOf(thrown)) })
        })
  const place = yield* Place.of(given)
  const importing = Effect.gen(function* () {
    const gateway = yield* Gateway
    let done = 0
    const imported = yield* Progress.during({ label: Texts.importing, unit: "bytes" }, (report) =>
      gateway.importSessions({
        newIds: given.has("new-ids"),
        owner,
        withGrants: given.has("with-grants"),
        content: Stream.tap(content, (bytes) => report((done += bytes.length), total))
      })
    ).pipe(
      Effect.catchTags({
        ImportRefused: ({ message }) => new TransferFailed({ detail: Texts.refused(name, message) }),
        SessionExists: ({ sessionId }) => new TransferFailed({ detail: Texts.exists(sessionId) })
      })
    )
    if (given.has("new-ids")) {
      const lines = imported.map(({ from, sessionId }) => `${Texts.renamed(from, sessionId)}\n`)
      yield* screen.write(lines.join(""))
    }
    yield* screen.write(`${Texts.imported(TerminalText.line(place.name), imported.length)}\n`)
    const grants = imported.reduce((sum, { grantsLeftOut }) => sum + grantsLeftOut, 0)
    if (grants > 0) yield* screen.writeError(`skein: ${Texts.grantsLeftOut(grants)}\n`)
  }).pipe(Effect.provide(Engine.layerWithoutRuns(given)))
  yield* Engine.creating(place, importing)
})
