/**
 * `skein run`: sends a message to a new session or an old one, and follows the run that answers it to its end. Whatever
 * can be refused is refused before the session is created or changed.
 */
import { FileSystem, Path } from "@effect/platform"
import { Effect, Option, Stream } from "effect"
import type { ModelRef } from "../../domain/ModelRef.js"
import * as Run from "../../domain/Run.js"
import { Cursor, type Session, SessionId, untitled } from "../../domain/Session.js"
import { InvalidInput, type SessionBusy } from "../../domain/SkeinError.js"
import * as Usage from "../../domain/Usage.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import { Models } from "../../services/Model.js"
import * as DataFolder from "../node/DataFolder.js"
import * as Arguments from "./Arguments.js"
import * as Configuration from "./Configuration.js"
import { WrongUsage } from "./Failure.js"
import * as Follow from "./Follow.js"
import type { Answerer } from "./Questions.js"
import * as RunEngine from "./RunEngine.js"
import { Screen } from "./terminal/Screen.js"
import * as Texts from "./texts/Run.js"

export interface Input {
  readonly message: string | null
  readonly session: string | null
  readonly model: string | null
  readonly workdir: string | null
  readonly yes: boolean
  readonly resume: boolean
  readonly json: boolean
  readonly data: string | null
}

const wrongUsage = ({ message, resume, session, workdir }: Input): string | null => {
  if (resume && session === null) return Texts.resumeNeedsSession
  if (resume && message !== null) return Texts.resumeTakesNoMessage
  if (!resume && message === null) return Texts.missingMessage
  if (message !== null && message.trim() === "") return Texts.emptyMessage
  return session !== null && workdir !== null ? Texts.workdirOfOldSession : null
}

/** The absolute path of a folder that exists. */
const folder = Effect.fn("RunCommand.folder")(function* (given: string) {
  const path = yield* Path.Path
  const fileSystem = yield* FileSystem.FileSystem
  const absolute = path.resolve(given)
  const refused = new InvalidInput({ field: "workdir", limit: Texts.existingFolder, actual: absolute })
  const info = yield* Effect.mapError(fileSystem.stat(absolute), () => refused)
  return info.type === "Directory" ? absolute : yield* refused
})

/** The model of `--model`. A script's file is relative to the current folder, whatever the session's is. */
const namedModel = Effect.fn("RunCommand.namedModel")(function* (text: string) {
  const path = yield* Path.Path
  const ref = yield* Arguments.model("--model", text)
  return ref.provider === "script" ? { ...ref, model: path.resolve(ref.model) } : ref
})

/** A session that does not exist yet. */
const draft = (workdir: string): Session => ({
  id: SessionId.make("new"),
  title: untitled,
  named: false,
  owner: Option.none(),
  workdir,
  model: null,
  metadata: {},
  usage: Usage.zero,
  head: 0,
  cursor: Cursor.make(0),
  createdAt: 0,
  updatedAt: 0
})

/** Fails unless the session's model, or the default one, is available. */
const checkModel = Effect.fn("RunCommand.checkModel")(function* (
  configuration: Configuration.Configuration,
  session: Session
) {
  yield* Configuration.modelFor(configuration, session.model)
  yield* (yield* Models).resolve(session)
})

const prepareNew = Effect.fn("RunCommand.prepareNew")(function* (
  configuration: Configuration.Configuration,
  workdir: string,
  model: ModelRef | null
) {
  yield* checkModel(configuration, { ...draft(workdir), model })
  return yield* (yield* Gateway).create({ workdir, ...(model === null ? {} : { model }) })
})

const prepareOld = Effect.fn("RunCommand.prepareOld")(function* (
  configuration: Configuration.Configuration,
  sessionId: SessionId,
  model: ModelRef | null
) {
  const gateway = yield* Gateway
  const session = yield* gateway.get(sessionId)
  yield* checkModel(configuration, { ...session, model: model ?? session.model })
  return model === null ? session : yield* gateway.setModel(sessionId, model)
})

/**
 * The run in the way, if this engine drives it: an interrupted run continues here when one of its questions still waits
 * for an answer. Fails with the same `SessionBusy` if another process drives it.
 */
const takeOver = Effect.fn("RunCommand.takeOver")(function* (busy: SessionBusy, sessionId: SessionId) {
  const gateway = yield* Gateway
  const { cursor, live } = yield* gateway.snapshot(sessionId)
  if (!Option.exists(live, ({ runId }) => runId === busy.runId)) return yield* busy
  const opener = yield* gateway.transcript({ sessionId }).pipe(
    Stream.filter(({ message }) => message.role === "assistant"),
    Stream.runLast
  )
  const ref: Run.Ref = { sessionId, runId: Run.Id.make(busy.runId), cursor }
  return { ref, opener: Option.isSome(opener) ? { opener: opener.value.message } : {} }
})

/**
 * Sends the message, or resumes, and follows the run. An interrupted run that can continue is followed first.
 *
 * @internal
 */
export const follow = Effect.fn("RunCommand.follow")(function* (
  session: Session,
  text: string | null,
  options: Follow.Options
) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const start = text === null ? gateway.resume(session.id) : gateway.send({ sessionId: session.id, text })
  const followBoth = Effect.fnUntraced(function* (busy: SessionBusy) {
    const { opener, ref } = yield* takeOver(busy, session.id)
    const interrupted = Follow.run(Effect.succeed(ref), { ...options, ...opener })
    if (text === null) return yield* interrupted
    yield* screen.writeError(`skein: ${Texts.resumingFirst}\n`)
    yield* Effect.catchTag(interrupted, "RunStopped", () => Effect.void)
    yield* Follow.run(start, options)
  })
  yield* Effect.catchTag(Follow.run(start, options), "SessionBusy", followBoth)
})

const answererOf = (yes: boolean, canAsk: boolean): Answerer => (yes ? "yes" : canAsk ? "terminal" : "nobody")

export const run = Effect.fn("RunCommand.run")(function* (input: Input) {
  const wrong = wrongUsage(input)
  if (wrong !== null) return yield* new WrongUsage({ detail: wrong })
  const model = input.model === null ? null : yield* namedModel(input.model)
  const sessionId = input.session === null ? null : yield* Arguments.sessionId(input.session)
  const workdir = yield* folder(input.workdir ?? ".")
  const configuration = yield* Effect.flatMap(DataFolder.host, Configuration.load)
  if (sessionId === null) yield* Configuration.modelFor(configuration, model)
  const screen = yield* Screen
  yield* Effect.gen(function* () {
    const session = yield* sessionId === null
      ? prepareNew(configuration, workdir, model)
      : prepareOld(configuration, sessionId, model)
    if (!input.json) yield* screen.write(screen.ansi.dim(`${Texts.session(session.id)}\n`))
    yield* follow(session, input.message, { isJson: input.json, answerer: answererOf(input.yes, screen.canAsk) })
  }).pipe(Effect.provide(RunEngine.layer(configuration, input.data)))
})
