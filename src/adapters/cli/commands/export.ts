/**
 * Exports sessions to stdout or into a new file, which is removed again when the export fails or is stopped. What is
 * left out of a session in use is reported on stderr.
 */
import * as Path from "@effect/platform/Path"
import { Effect, Exit, Option, Schema, Stream } from "effect"
import { rmSync } from "node:fs"
import { open } from "node:fs/promises"
import * as Export from "../../../domain/Export.js"
import { Gateway } from "../../../services/gateway/Gateway.js"
import type { ExportSessions } from "../../../services/gateway/Gateway.js"
import { codeOf } from "../../ErrorCode.js"
import type { ValuesOf } from "../CommandLine.js"
import * as Engine from "../Engine.js"
import { TransferFailed, WrongUsage } from "../Failure.js"
import * as OwnerName from "../OwnerName.js"
import * as SessionLookup from "../SessionLookup.js"
import * as Progress from "../terminal/Progress.js"
import { Screen } from "../terminal/Screen.js"
import * as TerminalText from "../terminal/TerminalText.js"
import type * as Commands from "../texts/Commands.js"
import * as Texts from "../texts/Transfer.js"

const decodeSession = Schema.decodeUnknownOption(Schema.parseJson(Export.Session))

/** Where the lines go. */
interface Target {
  readonly write: (
    text: string
  ) => Effect.Effect<void, TransferFailed | Effect.Effect.Error<ReturnType<Screen["Type"]["write"]>>>
  /** Makes what was written survive a power cut. */
  readonly finish: Effect.Effect<void, TransferFailed>
}

/** A new file that only this user can use, removed again unless the scope succeeds. */
const newFile = (path: string) =>
  Effect.gen(function* () {
    const attempt = <A>(work: () => Promise<A>) =>
      Effect.tryPromise({
        try: work,
        catch: (thrown) => new TransferFailed({ detail: Texts.unwritable(TerminalText.line(path), codeOf(thrown)) })
      })
    const file = yield* Effect.acquireRelease(
      attempt(() => open(path, "wx", 0o600)),
      (file, exit) =>
        Effect.promise(async () => {
          await file.close().catch(() => undefined)
          if (!Exit.isSuccess(exit)) rmSync(path, { force: true })
        })
    )
    return {
      write: (text) => attempt(() => file.appendFile(text)),
      finish: attempt(() => file.sync())
    } satisfies Target
  })

const whichOf = Effect.fnUntraced(function* (given: ValuesOf<typeof Commands.export>) {
  const owner = yield* OwnerName.read(given.value("owner"))
  const ways = [given.arguments.length > 0, given.has("all"), owner !== undefined].filter(Boolean).length
  if (ways !== 1) return yield* new WrongUsage({ detail: ways === 0 ? Texts.nothingNamed : Texts.tooMuchNamed })
  return { named: yield* Effect.forEach(given.arguments, SessionLookup.parse), owner }
})

export const run = Effect.fn("cli.export")(function* (given: ValuesOf<typeof Commands.export>) {
  const screen = yield* Screen
  const { named, owner } = yield* whichOf(given)
  const out = given.value("out")
  if (out === null && process.stdout.isTTY) return yield* new WrongUsage({ detail: Texts.toTerminal })
  const path = out === null ? null : (yield* Path.Path).resolve(out)
  yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const sessionIds = yield* Effect.forEach(named, SessionLookup.find)
    const which: ExportSessions = { owner, sessionIds: sessionIds.length === 0 ? undefined : sessionIds }
    const counts = { sessions: 0, files: 0, bytes: 0 }
    const notes: Array<string> = []
    const note = (line: string) => {
      if (line.startsWith('{"type":"asset"')) counts.files++
      if (!line.startsWith('{"type":"session",')) return
      counts.sessions++
      const session = Option.getOrNull(decodeSession(line))
      if (session === null) return
      const { going, head, id, waiting } = session
      if (going !== null) notes.push(Texts.wentOn(id, going, head))
      if (waiting > 0) notes.push(Texts.waited(id, waiting))
    }
    yield* Effect.gen(function* () {
      const target: Target = path === null ? { write: screen.write, finish: Effect.void } : yield* newFile(path)
      yield* Progress.during({ label: Texts.exporting, unit: "bytes" }, (report) =>
        Stream.runForEach(gateway.exportSessions(which), (line) =>
          Effect.gen(function* () {
            note(line)
            yield* target.write(line)
            counts.bytes += Buffer.byteLength(line)
            yield* report(counts.bytes, null)
          })
        )
      )
      yield* target.finish
    }).pipe(Effect.scoped)
    for (const text of notes) yield* screen.writeError(`skein: ${text}\n`)
    if (path === null) return
    const size = Progress.size(counts.bytes)
    yield* screen.write(`${Texts.exported(TerminalText.line(path), counts.sessions, counts.files, size)}\n`)
  }).pipe(Effect.provide(Engine.layerForReading(given)))
})
