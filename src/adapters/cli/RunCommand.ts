/**
 * What `skein run` does: a message goes to a new session or an old one, and the run that answers it is followed to its
 * end. Everything that can be refused is refused before the session is made or changed.
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

/** The command line as it was given. */
export interface Input {
  readonly message: Option.Option<string>
  readonly session: Option.Option<string>
  readonly model: Option.Option<string>
  readonly workdir: Option.Option<string>
  readonly yes: boolean
  readonly resume: boolean
  readonly json: boolean
  readonly data: Option.Option<string>
}

const wrongUsage = ({ message, resume, session, workdir }: Input): string | null => {
  if (resume && Option.isNone(session)) return "--resume needs --session ID"
  if (resume && Option.isSome(message)) return "--resume goes without a message"
  if (!resume && Option.isNone(message)) return 'say something: skein run "MESSAGE", or --session ID --resume'
  if (Option.exists(message, (text) => text.trim() === "")) return "the message is empty"
  return Option.isSome(session) && Option.isSome(workdir) ? "--workdir is for new sessions, not with --session" : null
}

/** The absolute path of a folder that exists. */
const folder = Effect.fn("Turn.folder")(function* (given: string) {
  const path = yield* Path.Path
  const fileSystem = yield* FileSystem.FileSystem
  const absolute = path.resolve(given)
  const refused = new InvalidInput({ field: "workdir", limit: "a folder that exists", actual: absolute })
  const info = yield* Effect.mapError(fileSystem.stat(absolute), () => refused)
  return info.type === "Directory" ? absolute : yield* refused
})

/** The model named with `--model`. A script's file is named from the current folder, whatever the session's is. */
const namedModel = Effect.fn("Turn.namedModel")(function* (text: string) {
  const path = yield* Path.Path
  const ref = yield* Arguments.model("--model", text)
  return ref.provider === "script" ? { ...ref, model: path.resolve(ref.model) } : ref
})

/** A session that is not made yet. */
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

/** Makes sure that the session's model, or the one for all sessions, can be asked. */
const checkModel = Effect.fn("Turn.checkModel")(function* (
  configuration: Configuration.Configuration,
  session: Session
) {
  yield* Configuration.modelFor(configuration, session.model)
  yield* (yield* Models).resolve(session)
})

const prepareNew = Effect.fn("Turn.prepareNew")(function* (
  configuration: Configuration.Configuration,
  workdir: string,
  model: ModelRef | null
) {
  yield* checkModel(configuration, { ...draft(workdir), model })
  return yield* (yield* Gateway).create({ workdir, ...(model === null ? {} : { model }) })
})

const prepareOld = Effect.fn("Turn.prepareOld")(function* (
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
 * The run that is in the way, when this engine drives it: what a crash left of it goes on, as a question of it still
 * waits for its answer. Fails with the same `SessionBusy` when another process drives it.
 */
const takenOver = Effect.fn("Turn.takenOver")(function* (busy: SessionBusy, sessionId: SessionId) {
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

/** Sends a message, or resumes, and follows the run; first the one that a crash interrupted, if it can go on. */
export const follow = Effect.fn("Turn.follow")(function* (
  session: Session,
  text: string | null,
  options: Follow.Options
) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const start = text === null ? gateway.resume(session.id) : gateway.send({ sessionId: session.id, text })
  const goOn = Effect.fnUntraced(function* (busy: SessionBusy) {
    const { opener, ref } = yield* takenOver(busy, session.id)
    const goingOn = Follow.run(Effect.succeed(ref), { ...options, ...opener })
    if (text === null) return yield* goingOn
    yield* screen.writeError("skein: the run that a crash interrupted goes on first\n")
    yield* Effect.catchTag(goingOn, "RunStopped", () => Effect.void)
    yield* Follow.run(start, options)
  })
  yield* Effect.catchTag(Follow.run(start, options), "SessionBusy", goOn)
})

const answererOf = (yes: boolean, canAsk: boolean): Answerer => (yes ? "yes" : canAsk ? "terminal" : "nobody")

export const run = Effect.fn("Turn.run")(function* (input: Input) {
  const wrong = wrongUsage(input)
  if (wrong !== null) return yield* new WrongUsage({ detail: wrong })
  const model = yield* Effect.transposeMapOption(input.model, namedModel)
  const sessionId = yield* Effect.transposeMapOption(input.session, Arguments.sessionId)
  const workdir = yield* folder(Option.getOrElse(input.workdir, () => "."))
  const configuration = yield* Effect.flatMap(DataFolder.host, Configuration.load)
  if (Option.isNone(sessionId)) yield* Configuration.modelFor(configuration, Option.getOrNull(model))
  const screen = yield* Screen
  yield* Effect.gen(function* () {
    const session = yield* Option.match(sessionId, {
      onNone: () => prepareNew(configuration, workdir, Option.getOrNull(model)),
      onSome: (id) => prepareOld(configuration, id, Option.getOrNull(model))
    })
    if (!input.json) yield* screen.write(screen.ansi.dim(`session ${session.id}\n`))
    yield* follow(session, Option.getOrNull(input.message), {
      isJson: input.json,
      answerer: answererOf(input.yes, screen.canAsk)
    })
  }).pipe(Effect.provide(RunEngine.layer(configuration, input.data)))
})
