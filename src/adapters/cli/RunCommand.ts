/**
 * `skein run`: sends a message to a new session or an old one, and follows the run that answers it to its end. Whatever
 * can be refused is refused before the session is created or changed.
 */
import { Effect, Layer } from "effect"
import * as Limits from "../../domain/Limits.js"
import * as ModelFailure from "../../domain/ModelFailure.js"
import type { ModelRef } from "../../domain/ModelRef.js"
import * as Run from "../../domain/Run.js"
import type { Session, SessionId } from "../../domain/Session.js"
import { InvalidInput, type RunStopped, type SessionBusy } from "../../domain/SkeinError.js"
import { Gateway, type Send, type Snapshot } from "../../services/gateway/Gateway.js"
import * as DataFolder from "../node/DataFolder.js"
import * as Additions from "./Additions.js"
import * as AgentChoice from "./AgentChoice.js"
import * as Configuration from "./Configuration.js"
import { RunFailed, WrongUsage } from "./Failure.js"
import * as Follow from "./Follow.js"
import * as Instructions from "./Instructions.js"
import * as LiveServer from "./LiveServer.js"
import * as ModelChoice from "./ModelChoice.js"
import * as ModelList from "./ModelList.js"
import * as Place from "./Place.js"
import type { Answerer } from "./Questions.js"
import * as RunBefore from "./RunBefore.js"
import * as RunEngine from "./RunEngine.js"
import * as RunFailure from "./RunFailure.js"
import * as RunOutput from "./RunOutput.js"
import * as SessionFolder from "./SessionFolder.js"
import * as SessionLookup from "./SessionLookup.js"
import * as Signals from "./Signals.js"
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
  readonly attach: string | null
  readonly yes: boolean
  readonly resume: boolean
  readonly queue: boolean
  readonly quiet: boolean
  readonly json: boolean
  readonly place: Place.Given
}

const wrongUsage = (input: Input): string | null => {
  const { attach, json, last, message, queue, quiet, resume, session, workdir } = input
  const isOld = session !== null || last
  if (session !== null && last) return Texts.oneSession
  if (resume && !isOld) return Texts.resumeNeedsSession
  if (resume && message !== null) return Texts.resumeTakesNoMessage
  if (resume && attach !== null) return Texts.attachNeedsMessage
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
  yield* checkSize(message)
  if (message.trim() !== "") return message
  return yield* new WrongUsage({ detail: given === null || given === "-" ? Texts.missingMessage : Texts.emptyMessage })
})

/** Refuses what the engine would refuse later, when the session was already there. */
const checkSize = (text: string): Effect.Effect<void, InvalidInput> =>
  Effect.mapError(
    Limits.json("message", { role: "user", text }, Limits.defaults.messageBytes),
    ({ actual, field, limit }) => new InvalidInput({ field, limit: Texts.asJson(limit), actual })
  )

/** What the command line chooses for the session; null for what stays as it is. */
interface Choice {
  readonly model: ModelRef | null
  readonly agent: AgentChoice.Name | null
}

const chosen = ({ agent, model }: Choice) => ({
  ...(model === null ? {} : { model }),
  ...(agent === null ? {} : { agent })
})

const createNew = Effect.fn("RunCommand.createNew")(function* (place: Place.Place, workdir: string, choice: Choice) {
  // Where other programs have sessions too, a session that names no agent could be anybody's.
  const agent = place._tag === "Database" ? { agent: AgentChoice.names[0] } : {}
  return yield* (yield* Gateway).create({ workdir, ...Place.ofNewSession(place), ...agent, ...chosen(choice) })
})

/** Checks a session's model before anything changes. Does nothing when a server has the providers. */
type Check = (session: Session) => ReturnType<typeof ModelChoice.check>

const prepareOld = Effect.fn("RunCommand.prepareOld")(function* (
  check: Check,
  place: Place.Place,
  sessionId: SessionId,
  choice: Choice
) {
  const gateway = yield* Gateway
  const session = yield* gateway.session(sessionId)
  const next = { ...session, ...chosen(choice) }
  yield* Place.check(place, session)
  yield* SessionFolder.checkOf(session)
  yield* AgentChoice.check(next)
  yield* check(next)
  return choice.model === null && choice.agent === null
    ? session
    : yield* gateway.patch({ sessionId, ...chosen(choice) })
})

/** The run that nobody drives, and that an engine resumes when it is asked to change the session; null for none. */
const leftRun = ({ run: held }: Snapshot): Run.Id | null =>
  held !== null && (held.crashed || (held.run.state === "running" && held.run.releasedAt !== null)) ? held.run.id : null

/** A message to send, with its files saved. */
interface Message extends Required<Pick<Send, "text" | "files">> {
  readonly queue: boolean
}

/** Says which run this one waits for, if it waits. */
const tellQueued = Effect.fnUntraced(function* ({ runId, sessionId }: Run.Ref) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const { run } = yield* gateway.snapshot(sessionId)
  if (run !== null && run.run.id !== runId) yield* screen.writeError(`skein: ${Texts.queued(run.run.id)}\n`)
}, Effect.ignore)

/**
 * Sends a message, and follows the run. The session may be busy with a run that this engine drives, because it
 * continues an interrupted one whose question still waits for an answer: then that run is followed first, whether the
 * message may wait or not. A run that another process drives is left alone, as long as it does.
 */
const send = Effect.fn("RunCommand.send")(function* (
  { id: sessionId }: Session,
  { files, queue, text }: Message,
  options: Follow.Options
) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const start = gateway.send({ sessionId, text, files })
  const waiting = gateway.send({ sessionId, text, files, whenBusy: "queue" })
  const before = yield* gateway.snapshot(sessionId)
  const left = leftRun(before)
  const wait = Follow.run(options.isJson ? waiting : Effect.tap(waiting, tellQueued), {
    ...options,
    waitsFor: RunBefore.elsewhere(before)
  })
  if (queue && left === null) return yield* wait
  const followBoth = Effect.fnUntraced(function* (busy: SessionBusy) {
    const { cursor, live } = yield* gateway.snapshot(sessionId)
    if (busy.runId !== left || live?.runId !== left) return queue ? yield* wait : yield* busy
    const interrupted = Effect.succeed({ sessionId, runId: Run.Id.make(busy.runId), cursor })
    yield* screen.writeError(`skein: ${Texts.resumingFirst}\n`)
    yield* Effect.catchTag(
      Follow.run(interrupted, { ...options, ...(yield* Follow.openerOf(sessionId)) }),
      "RunStopped",
      () => Effect.void
    )
    return yield* queue ? wait : Follow.run(start, options)
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
  return yield* Follow.run(fromNow, { ...options, ...(yield* Follow.openerOf(id)) })
})

/**
 * Sends the message, or resumes, and follows the run.
 *
 * @internal
 */
export const follow = Effect.fn("RunCommand.follow")(function* (
  session: Session,
  message: Message | null,
  options: Follow.Options
) {
  return message === null ? yield* resume(session, options) : yield* send(session, message, options)
})

/** Fails with the cause, and what to do about it. */
const explain = Effect.fn("RunCommand.explain")(function* (
  stopped: RunStopped,
  { id, model }: Session,
  { path, providers: { providers }, standard }: Configuration.Configuration,
  place: Place.Place
) {
  const failure = ModelFailure.fromText(stopped.detail ?? "")
  const { env } = yield* DataFolder.host
  const models =
    failure !== null && RunFailure.isUnknownModel(failure) ? yield* ModelList.ask(failure.ref, providers, env) : null
  const detail = RunFailure.describe(stopped, model ?? standard, {
    sessionId: id,
    place: place.options,
    path,
    providers,
    models
  })
  return yield* new RunFailed({ stopReason: stopped.stopReason, detail })
})

const answererOf = (yes: boolean, canAsk: boolean): Answerer => (yes ? "yes" : canAsk ? "terminal" : "nobody")

/** The server that the command goes through; null for none. A custom system prompt needs an engine of its own. */
const serverFor = Effect.fnUntraced(function* (
  input: Input,
  place: Place.Place,
  { standard }: Configuration.Configuration,
  newWorkdir: string | null
) {
  if (input.system !== null) return null
  const { env } = yield* DataFolder.host
  const model = standard === null || !env["SKEIN_MODEL"] ? null : `${standard.provider}/${standard.model}`
  return yield* LiveServer.find(input.place, place, { newWorkdir, model })
})

/** The server's gateway. From here on a signal cancels the run. */
const throughServer = ({ gateway }: LiveServer.LiveServer) =>
  Layer.effect(
    Gateway,
    Effect.flatMap(Signals.Signals, ({ arm }) => Effect.as(arm, gateway))
  )

export const run = Effect.fn("RunCommand.run")(function* (input: Input) {
  const wrong = wrongUsage(input)
  if (wrong !== null) return yield* new WrongUsage({ detail: wrong })
  const text = input.resume ? null : yield* messageOf(input.message)
  const model = input.model === null ? null : yield* ModelChoice.named("--model", input.model)
  const agent = input.agent === null ? null : yield* AgentChoice.named("--agent", input.agent)
  const choice = { model, agent }
  const place = yield* Place.of(input.place)
  const sessionId = input.session === null ? null : yield* SessionLookup.parse(input.session)
  const workdir = yield* SessionFolder.existing(input.workdir ?? ".")
  const system = yield* SystemPrompt.load(input.system)
  const configuration = yield* Effect.flatMap(DataFolder.host, Configuration.load)
  // Read once for each folder: a prompt that changes in the middle of a session costs the provider's cache.
  const instructions = yield* Effect.cachedFunction(Instructions.read)
  const isNew = sessionId === null && !input.last
  const server = yield* serverFor(input, place, configuration, isNew ? workdir : null)
  const check: Check = (session) => (server === null ? ModelChoice.check(configuration, session) : Effect.void)
  const readFor = (workdir: string | null) =>
    text === null
      ? Effect.succeed(null)
      : Effect.tap(Additions.read(configuration, { text, attach: input.attach }, workdir), ({ text }) =>
          checkSize(text)
        )
  if (isNew) yield* check({ ...ModelChoice.draft(workdir), ...chosen(choice) })
  const early = isNew ? yield* Signals.armed(readFor(workdir)) : null
  const screen = yield* Screen
  const isAnswerAlone = RunOutput.isAnswerAlone(input, process.stdout.isTTY)
  const shown = isAnswerAlone ? RunOutput.forProgress(screen, input) : screen
  yield* Effect.gen(function* () {
    const session = yield* isNew
      ? createNew(place, workdir, choice)
      : Effect.flatMap(sessionId === null ? SessionLookup.newest(workdir) : SessionLookup.find(sessionId), (id) =>
          prepareOld(check, place, id, choice)
        )
    const content = isNew ? early : yield* readFor(session.workdir)
    const message =
      content === null
        ? null
        : { text: content.text, files: yield* Additions.save(session, content), queue: input.queue }
    const found = session.workdir === null ? [] : yield* instructions(session.workdir)
    if (!input.json) {
      const lines = [Texts.session(session.id), ...(found.length === 0 ? [] : [InstructionTexts.line(found)])]
      yield* shown.write(shown.ansi.dim(`${lines.map(TerminalText.line).join("\n")}\n`))
    }
    const options = {
      isJson: input.json,
      instructions: Instructions.paths(found),
      isProgress: isAnswerAlone,
      answerer: answererOf(input.yes, screen.canAsk)
    }
    const ref = yield* follow(session, message, options).pipe(
      Effect.provideService(Screen, shown),
      Effect.catchTag("RunStopped", (stopped) => explain(stopped, session, configuration, place))
    )
    if (isAnswerAlone) yield* RunOutput.writeAnswer(ref)
  }).pipe(
    Effect.provide(
      server === null
        ? RunEngine.layer(configuration, place, { system, instructions }, { creates: isNew })
        : throughServer(server)
    )
  )
})
