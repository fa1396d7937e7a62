/**
 * `skein run`: sends a message to a new session or an old one, and follows the run that answers it to its end. Whatever
 * can be refused is refused before the session is created or changed.
 */
import { Effect, Option, Ref, Stream } from "effect"
import * as Limits from "../../domain/Limits.js"
import * as ModelFailure from "../../domain/ModelFailure.js"
import type { ModelRef } from "../../domain/ModelRef.js"
import * as Run from "../../domain/Run.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import { Cursor, type Session, SessionId } from "../../domain/Session.js"
import type { RunStopped, SessionBusy } from "../../domain/SkeinError.js"
import * as Title from "../../domain/Title.js"
import * as Usage from "../../domain/Usage.js"
import { Gateway } from "../../services/gateway/Gateway.js"
import * as DataFolder from "../node/DataFolder.js"
import * as AgentChoice from "./AgentChoice.js"
import * as Configuration from "./Configuration.js"
import { RunFailed, WrongUsage } from "./Failure.js"
import * as Follow from "./Follow.js"
import * as Instructions from "./Instructions.js"
import * as ModelChoice from "./ModelChoice.js"
import * as ModelList from "./ModelList.js"
import type { Answerer } from "./Questions.js"
import * as RunEngine from "./RunEngine.js"
import * as RunFailure from "./RunFailure.js"
import * as RunOutput from "./RunOutput.js"
import * as SessionFolder from "./SessionFolder.js"
import * as SessionLookup from "./SessionLookup.js"
import * as StandardInput from "./StandardInput.js"
import * as SystemPrompt from "./SystemPrompt.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as InstructionTexts from "./texts/Instructions.js"
import * as Texts from "./texts/Run.js"

export interface Input {
  readonly message: string | null
  readonly session: string | null
  readonly last: boolean
  readonly model: string | null
  readonly agent: string | null
  readonly system: string | null
  readonly workdir: string | null
  readonly yes: boolean
  readonly resume: boolean
  readonly queue: boolean
  readonly quiet: boolean
  readonly json: boolean
  readonly data: string | null
}

const wrongUsage = (input: Input): string | null => {
  const { json, last, message, queue, quiet, resume, session, workdir } = input
  const isOld = session !== null || last
  if (session !== null && last) return Texts.oneSession
  if (resume && !isOld) return Texts.resumeNeedsSession
  if (resume && message !== null) return Texts.resumeTakesNoMessage
  if (queue && resume) return Texts.queueNeedsMessage
  if (queue && !isOld) return Texts.queueNeedsSession
  if (quiet && json) return Texts.quietJson
  return session !== null && workdir !== null ? Texts.workdirOfOldSession : null
}

/** The message, from the command line and stdin. */
const messageOf = Effect.fn("RunCommand.messageOf")(function* (given: string | null) {
  const kind = yield* StandardInput.kind
  const stdin = StandardInput.read(Limits.defaults.messageBytes)
  const isRead = given === "-" || (given === null ? kind === "text" || kind === "socket" : kind === "text")
  const text = isRead ? yield* stdin : ""
  const message = given === null || given === "-" ? text : text.trim() === "" ? given : Texts.withStdin(given, text)
  if (message.trim() !== "") return message
  return yield* new WrongUsage({ detail: given === null || given === "-" ? Texts.missingMessage : Texts.emptyMessage })
})

/** A session that does not exist yet. */
const draft = (workdir: string): Session => ({
  id: SessionId.make("new"),
  title: Title.untitled,
  named: false,
  owner: null,
  workdir,
  placement: null,
  parent: null,
  agent: null,
  model: null,
  metadata: {},
  usage: Usage.zero,
  head: 0,
  cursor: Cursor.make(0),
  createdAt: 0,
  updatedAt: 0
})

/** What the command line chooses for the session; null for what stays as it is. */
interface Choice {
  readonly model: ModelRef | null
  readonly agent: AgentChoice.Name | null
}

const chosen = ({ agent, model }: Choice) => ({
  ...(model === null ? {} : { model }),
  ...(agent === null ? {} : { agent })
})

const prepareNew = Effect.fn("RunCommand.prepareNew")(function* (
  configuration: Configuration.Configuration,
  workdir: string,
  choice: Choice
) {
  yield* ModelChoice.check(configuration, { ...draft(workdir), ...chosen(choice) })
  return yield* (yield* Gateway).create({ workdir, ...chosen(choice) })
})

const prepareOld = Effect.fn("RunCommand.prepareOld")(function* (
  configuration: Configuration.Configuration,
  sessionId: SessionId,
  choice: Choice
) {
  const gateway = yield* Gateway
  const session = yield* gateway.session(sessionId)
  const next = { ...session, ...chosen(choice) }
  yield* SessionFolder.checkOf(session)
  yield* AgentChoice.check(next)
  yield* ModelChoice.check(configuration, next)
  return choice.model === null && choice.agent === null
    ? session
    : yield* gateway.patch({ sessionId, ...chosen(choice) })
})

/** What a run that is followed from its middle has open: the newest message that asks for calls. */
const openerOf = Effect.fn("RunCommand.openerOf")(function* (sessionId: SessionId) {
  const gateway = yield* Gateway
  const opener = yield* gateway.transcript({ sessionId }).pipe(
    Stream.filter(({ message }) => message.role === "assistant"),
    Stream.runLast
  )
  return Option.isSome(opener) ? { opener: opener.value.message } : {}
})

/**
 * Sends a message, and follows the run. When the session is busy with a run that this engine drives, as it continues an
 * interrupted one whose question still waits for an answer, that one is followed first.
 */
const send = Effect.fn("RunCommand.send")(function* (
  { id: sessionId }: Session,
  { queue, text }: { readonly text: string; readonly queue: boolean },
  options: Follow.Options
) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const start = gateway.send({ sessionId, text, whenBusy: queue ? "queue" : "refuse" })
  const followBoth = Effect.fnUntraced(function* (busy: SessionBusy) {
    const { cursor, live } = yield* gateway.snapshot(sessionId)
    if (live?.runId !== busy.runId) return yield* busy
    const interrupted = Effect.succeed({ sessionId, runId: Run.Id.make(busy.runId), cursor })
    yield* screen.writeError(`skein: ${Texts.resumingFirst}\n`)
    yield* Effect.catchTag(
      Follow.run(interrupted, { ...options, ...(yield* openerOf(sessionId)) }),
      "RunStopped",
      () => Effect.void
    )
    return yield* Follow.run(start, options)
  })
  return yield* Effect.catchTag(Follow.run(start, options), "SessionBusy", followBoth)
})

/**
 * Goes on with the session, and follows the run: from now on when it was left behind, from its start when it begins or
 * has ended.
 */
const resume = Effect.fn("RunCommand.resume")(function* ({ cursor, id }: Session, options: Follow.Options) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const ref = yield* gateway.resume(id)
  const { state } = yield* gateway.run(ref.runId)
  if (state === "ended") yield* screen.writeError(`skein: ${Texts.nothingOpen}\n`)
  if (state === "ended" || ref.cursor >= cursor) return yield* Follow.run(Effect.succeed(ref), options)
  const fromNow = Effect.succeed({ ...ref, cursor })
  return yield* Follow.run(fromNow, { ...options, ...(yield* openerOf(id)) })
})

/**
 * Sends the message, or resumes, and follows the run.
 *
 * @internal
 */
export const follow = Effect.fn("RunCommand.follow")(function* (
  session: Session,
  message: { readonly text: string; readonly queue: boolean } | null,
  options: Follow.Options
) {
  return message === null ? yield* resume(session, options) : yield* send(session, message, options)
})

/** Fails with the cause, and what to do about it. */
const explain = Effect.fn("RunCommand.explain")(function* (
  stopped: RunStopped,
  { id, model }: Session,
  { path, providers: { providers }, standard }: Configuration.Configuration,
  data: string | null
) {
  const failure = ModelFailure.fromText(stopped.detail ?? "")
  const { env } = yield* DataFolder.host
  const models =
    failure !== null && RunFailure.isUnknownModel(failure) ? yield* ModelList.ask(failure.ref, providers, env) : null
  const detail = RunFailure.describe(stopped, model ?? standard, { sessionId: id, data, path, providers, models })
  return yield* new RunFailed({ stopReason: stopped.stopReason, detail })
})

const answererOf = (yes: boolean, canAsk: boolean): Answerer => (yes ? "yes" : canAsk ? "terminal" : "nobody")

export const run = Effect.fn("RunCommand.run")(function* (input: Input) {
  const wrong = wrongUsage(input)
  if (wrong !== null) return yield* new WrongUsage({ detail: wrong })
  const message = input.resume ? null : { text: yield* messageOf(input.message), queue: input.queue }
  const model = input.model === null ? null : yield* ModelChoice.named("--model", input.model)
  const agent = input.agent === null ? null : yield* AgentChoice.named("--agent", input.agent)
  const choice = { model, agent }
  const sessionId = input.session === null ? null : yield* SessionLookup.parse(input.session)
  const workdir = yield* SessionFolder.existing(input.workdir ?? ".")
  const system = yield* SystemPrompt.load(input.system)
  const configuration = yield* Effect.flatMap(DataFolder.host, Configuration.load)
  // Read once for each folder: a prompt that changes in the middle of a session costs the provider's cache.
  const instructions = yield* Effect.cachedFunction(Instructions.read)
  const isNew = sessionId === null && !input.last
  if (isNew) yield* Configuration.modelFor(configuration, model)
  const screen = yield* Screen
  const isAnswerAlone = RunOutput.isAnswerAlone(input, process.stdout.isTTY)
  const shown = isAnswerAlone ? RunOutput.forProgress(screen, input) : screen
  const isFirst = yield* Ref.make(true)
  // The first event of a run that waits says so; later ones of the kind are other runs'.
  const onEvent = (event: SessionEvent) =>
    Effect.flatMap(Ref.getAndSet(isFirst, false), (isFirst) =>
      isFirst && event.type === "run.queued" && !input.json ? shown.writeError(`skein: ${Texts.queued}\n`) : Effect.void
    )
  yield* Effect.gen(function* () {
    const session = yield* isNew
      ? prepareNew(configuration, workdir, choice)
      : Effect.flatMap(sessionId === null ? SessionLookup.newest(workdir) : SessionLookup.find(sessionId), (id) =>
          prepareOld(configuration, id, choice)
        )
    const found = session.workdir === null ? [] : yield* instructions(session.workdir)
    if (!input.json) {
      const lines = [Texts.session(session.id), ...(found.length === 0 ? [] : [InstructionTexts.line(found)])]
      yield* shown.write(shown.ansi.dim(`${lines.map(TerminalText.line).join("\n")}\n`))
    }
    const options = {
      isJson: input.json,
      instructions: Instructions.paths(found),
      isProgress: isAnswerAlone,
      answerer: answererOf(input.yes, screen.canAsk),
      onEvent
    }
    const ref = yield* follow(session, message, options).pipe(
      Effect.provideService(Screen, shown),
      Effect.catchTag("RunStopped", (stopped) => explain(stopped, session, configuration, input.data))
    )
    if (isAnswerAlone) yield* RunOutput.writeAnswer(ref)
  }).pipe(Effect.provide(RunEngine.layer(configuration, input.data, { system, instructions })))
})
