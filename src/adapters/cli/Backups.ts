/** Makes and restores backups, and reports the result. A long one reports its progress every few seconds. */
import { Path } from "@effect/platform"
import { Clock, Effect, Layer, Ref } from "effect"
import * as DataFolder from "../node/DataFolder.js"
import * as Identity from "../node/Identity.js"
import * as NodeFolders from "../node/NodeFolders.js"
import * as Backup from "../sqlite/backup/Backup.js"
import * as Restore from "../sqlite/backup/Restore.js"
import { Signals } from "./Signals.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Maintenance.js"

export interface Input {
  readonly file: string
  readonly data: string | null
}

const layer = Layer.merge(Identity.layer, NodeFolders.layer)

const reportMillis = 3_000

/** Bytes for people. */
const sizeOf = (bytes: number): string => {
  const units = ["B", "KB", "MB", "GB", "TB"]
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1)
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ""}`
}

const progress = Effect.gen(function* () {
  const screen = yield* Screen
  const last = yield* Ref.make(yield* Clock.currentTimeMillis)
  return (done: number, total: number) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now - (yield* Ref.get(last)) < reportMillis) return
      yield* Ref.set(last, now)
      yield* screen.writeError(`${Texts.progress(sizeOf(done), sizeOf(Math.max(done, total)))}\n`)
    })
})

const options = Effect.fnUntraced(function* (input: Input) {
  const data = yield* DataFolder.data(yield* DataFolder.host, input.data ?? undefined)
  const path = yield* Path.Path
  yield* (yield* Signals).arm
  return { data, file: path.resolve(input.file), onProgress: yield* progress }
})

export const backup = Effect.fn("cli.backup")(function* (input: Input) {
  const screen = yield* Screen
  const given = yield* options(input)
  const { assets, faults, sessions, size } = yield* Backup.make(given)
  for (const { detail, name } of faults) {
    yield* screen.writeError(`${TerminalText.line(Texts.faultInBackup(name, detail))}\n`)
  }
  yield* screen.write(`${Texts.backedUp(TerminalText.line(given.file), sessions, assets, sizeOf(size))}\n`)
}, Effect.provide(layer))

export const restore = Effect.fn("cli.restore")(function* (input: Input) {
  const screen = yield* Screen
  const given = yield* options(input)
  const { assets, faults, movedAside, sessions } = yield* Restore.run(given)
  for (const name of faults) yield* screen.writeError(`${TerminalText.line(Texts.faultInRestore(name))}\n`)
  for (const path of movedAside) yield* screen.writeError(`${TerminalText.line(Texts.movedAside(path))}\n`)
  yield* screen.write(`${Texts.restored(TerminalText.line(given.data), sessions, assets)}\n`)
}, Effect.provide(layer))
