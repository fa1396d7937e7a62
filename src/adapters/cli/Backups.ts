/** Makes and restores backups, and reports the result. A long one shows its progress. */
import { Path } from "@effect/platform"
import { Effect, Layer } from "effect"
import * as DataFolder from "../node/DataFolder.js"
import * as Identity from "../node/Identity.js"
import * as NodeFolders from "../node/NodeFolders.js"
import * as Backup from "../sqlite/backup/Backup.js"
import * as Restore from "../sqlite/backup/Restore.js"
import { Signals } from "./Signals.js"
import * as Progress from "./terminal/Progress.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Maintenance.js"

export interface Input {
  readonly file: string
  readonly data: string | null
}

const layer = Layer.merge(Identity.layer, NodeFolders.layer)

const options = Effect.fnUntraced(function* (input: Input) {
  const data = yield* DataFolder.data(yield* DataFolder.host, input.data ?? undefined)
  const path = yield* Path.Path
  yield* (yield* Signals).arm
  return { data, file: path.resolve(input.file) }
})

export const backup = Effect.fn("cli.backup")(function* (input: Input) {
  const screen = yield* Screen
  const given = yield* options(input)
  const { assets, faults, sessions, size } = yield* Progress.during(
    { label: Texts.backingUp, unit: "bytes" },
    (onProgress) => Backup.make({ ...given, onProgress })
  )
  for (const { detail, name } of faults) {
    yield* screen.writeError(`${TerminalText.line(Texts.faultInBackup(name, detail))}\n`)
  }
  yield* screen.write(`${Texts.backedUp(TerminalText.line(given.file), sessions, assets, Progress.size(size))}\n`)
}, Effect.provide(layer))

export const restore = Effect.fn("cli.restore")(function* (input: Input) {
  const screen = yield* Screen
  const given = yield* options(input)
  const { assets, faults, movedAside, sessions } = yield* Progress.during(
    { label: Texts.restoring, unit: "bytes" },
    (onProgress) => Restore.run({ ...given, onProgress })
  )
  for (const name of faults) yield* screen.writeError(`${TerminalText.line(Texts.faultInRestore(name))}\n`)
  for (const path of movedAside) yield* screen.writeError(`${TerminalText.line(Texts.movedAside(path))}\n`)
  yield* screen.write(`${Texts.restored(TerminalText.line(given.data), sessions, assets)}\n`)
}, Effect.provide(layer))
