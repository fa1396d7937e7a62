/**
 * Questions about whether a call may run, answered by a person at the terminal, by nobody, or by `--yes` in advance.
 * Only a person can answer the inquiry of a running call. A person sees the exact input, made harmless for the
 * terminal, and answers one question at a time.
 */
import { Deferred, Effect, Queue, Ref } from "effect"
import type { Question, QuestionId, Verdict } from "../../domain/Permission.js"
import { type Answer, Gateway } from "../../services/gateway/Gateway.js"
import { InputEnded } from "./Failure.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Follow.js"

export type Answerer = "terminal" | "nobody" | "yes"

const subject = ({ display: { always }, input, tool }: Question) => ({
  title:
    always === undefined
      ? Texts.wantsToRun(TerminalText.line(tool))
      : Texts.wantsToRunOrAlways(TerminalText.line(tool), TerminalText.line(always)),
  body: TerminalText.line(input),
  hint: Texts.seeAll
})

/**
 * What a typed line means; null when it must be asked again, `all` when the whole input is wanted, `ended` when the
 * input ended instead.
 */
const read =
  (mayAlways: boolean) =>
  (typed: string | null): Verdict | "all" | "ended" | null => {
    switch (typed?.trim().toLowerCase()) {
      case undefined:
        return "ended"
      case "n":
      case "no":
        return "deny"
      case "y":
      case "yes":
        return "allow-once"
      case "s":
        return "allow-for-session"
      case "p":
        return mayAlways ? "allow-always" : null
      case "a":
        return "all"
      default:
        return null
    }
  }

/** Loaded when needed: few calls have inquiries. */
const inquiries = Effect.promise(() => import("./Inquiries.js"))

interface OpenQuestion {
  readonly questionId: QuestionId
  /** Done when any client has answered it. */
  readonly answered: Deferred.Deferred<void>
}

/**
 * Answers the questions of a run. `asked` and `answered` take the run's events; `serve` asks the person until the input
 * ends.
 */
export const make = Effect.fn("Questions.make")(function* (answerer: Answerer) {
  const gateway = yield* Gateway
  const screen = yield* Screen
  const waiting = yield* Queue.unbounded<OpenQuestion>()
  const open = yield* Ref.make<ReadonlyMap<QuestionId, OpenQuestion>>(new Map())

  /** Another client may have been first, or the session may be gone. */
  const answer = (input: Answer) =>
    gateway.answer(input).pipe(
      Effect.catchTag("QuestionAnswered", "QuestionNotFound", "SessionNotFound", "SessionDeleting", () => Effect.void),
      Effect.asVoid
    )

  const askPerson = Effect.fnUntraced(function* (question: Question) {
    const { inquiry } = question.display
    if (inquiry !== undefined) return yield* (yield* inquiries).ask(question, inquiry)
    const mayAlways = question.display.always !== undefined
    const asked = { subject: subject(question), prompt: mayAlways ? Texts.choicesWithAlways : Texts.choices }
    while (true) {
      const verdict = yield* screen.ask(asked, read(mayAlways))
      if (verdict === "ended") return yield* new InputEnded()
      if (verdict !== "all") return { verdict }
      yield* screen.writeError(`  ${asked.subject.title}\n  ${asked.subject.body}\n`)
    }
  })

  const putToPerson = Effect.fnUntraced(function* ({ answered, questionId }: OpenQuestion) {
    if (yield* Deferred.isDone(answered)) return
    const question = yield* gateway.question(questionId)
    if (question.answer !== null) return
    const given = yield* Effect.raceFirst(
      Effect.provideService(askPerson(question), Screen, screen),
      Effect.as(Deferred.await(answered), null)
    )
    if (given === null) return
    yield* answer({ questionId, ...given, ...(given.verdict === "deny" ? { message: Texts.refused } : {}) })
  })

  const isAboutRunning = (questionId: QuestionId) =>
    Effect.map(gateway.question(questionId), ({ display }) => display.inquiry === undefined)

  const asked = Effect.fn("Questions.asked")(function* (questionId: QuestionId) {
    if (answerer === "yes" && (yield* isAboutRunning(questionId)))
      return yield* answer({ questionId, verdict: "allow-once" })
    if (answerer !== "terminal") return yield* answer({ questionId, verdict: "deny", message: Texts.nobodyToAsk })
    const asked = { questionId, answered: yield* Deferred.make<void>() }
    const isNew = yield* Ref.modify(open, (before) => [
      !before.has(questionId),
      new Map([[questionId, asked], ...before])
    ])
    if (isNew) yield* Queue.offer(waiting, asked)
  })

  const answered = Effect.fn("Questions.answered")(function* (questionId: QuestionId) {
    const asked = (yield* Ref.get(open)).get(questionId)
    if (asked !== undefined) yield* Deferred.succeed(asked.answered, undefined)
  })

  return { asked, answered, serve: Effect.forever(Effect.flatMap(Queue.take(waiting), putToPerson)) }
})
