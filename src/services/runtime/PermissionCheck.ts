/**
 * Whether a call may run: the agent's policy decides and, where the policy asks for it, a human's answer. The question
 * is stored before anybody can see it, and its answer belongs to this very call. A policy that fails denies the call.
 */
import { Cause, Effect, Either, Exit, identity } from "effect"
import type { CallPart } from "../../domain/Message.js"
import {
  type Always,
  type Answer,
  type AnyVerdict,
  type Decision,
  type Hides,
  QuestionId
} from "../../domain/Permission.js"
import { Ids } from "../Ids.js"
import * as Permissions from "../Permissions.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import * as Asking from "./Asking.js"
import * as AtOnce from "./AtOnce.js"
import type { AcceptedCall } from "./CallReading.js"
import type { CallRun, RunContext } from "./CallRun.js"
import * as HandlerResult from "./HandlerResult.js"
import { HostFibers } from "./HostFibers.js"

/** The policy at work on a call. */
export type Deciding = AtOnce.Work<Decision>

type AcceptedCallParts = Pick<AcceptedCall, "display" | "prepared" | "tool">

/** A call to decide on. `deciding` is null for a call about which a human was asked before. */
interface PermittedCall extends AcceptedCallParts {
  readonly deciding: Deciding | null
}

const allowing: ReadonlySet<AnyVerdict> = new Set(["allow-once", "allow-for-session", "allow-always"])

const denialBy = ({ by, isDismissed = false, message }: Answer): string => {
  const unstated = isDismissed ? "the question was dismissed" : "no reason was given"
  return `Denied${by === null ? "" : ` by ${by}`}: ${message ?? unstated}`
}

const denied = ({ message }: Extract<Decision, { readonly _tag: "Deny" }>): string => `Denied: ${message}`

type Permission = Either.Either<ReadonlyArray<string>, string>

const permitted: Permission = Either.right([])

const notStored = (why: string): string => `[The call was allowed only this once: its rule could not be stored: ${why}]`

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const ids = yield* Ids
  const fibers = yield* HostFibers

  const answerTo = yield* Asking.answers

  /** Starts the policy's decision on a call. */
  const begin = (
    { agent, run, session }: RunContext,
    { callId, input }: CallPart,
    { prepared: { commands, locations }, tool: { access, name: tool } }: AcceptedCallParts
  ): Effect.Effect<Deciding> =>
    AtOnce.begin(() => agent.policy({ session, run, callId, tool, access, input, locations, commands }), identity)

  const decisionOf = Effect.fnUntraced(function* (deciding: Deciding) {
    const exit = yield* AtOnce.exitOf(deciding)
    if (Exit.isSuccess(exit)) return exit.value
    yield* Effect.annotateLogs(Effect.logError("the permission policy broke"), {
      defect: HandlerResult.nameOf(Cause.squash(exit.cause))
    })
    return Permissions.deny("the permission policy failed")
  })

  /** What the policy decides on a call about which a human was asked under another engine. */
  const decidingNow = (context: RunContext, part: CallPart, about: AcceptedCallParts) =>
    Effect.acquireUseRelease(begin(context, part, about), decisionOf, AtOnce.giveUp)

  /**
   * Returns the question about a call, which is asked now unless it was asked before; null when the call needs none.
   */
  const question = Effect.fnUntraced(function* (
    { call, context, part }: CallRun,
    { display, tool }: AcceptedCallParts,
    always: Always | null
  ) {
    if (call.questionId !== null) return call.questionId
    if ((yield* reader.granted(context.session.id)).has(tool.name)) return null
    const id = QuestionId.make(yield* ids.next("ask"))
    const { callId, input } = part
    const { access, name } = tool
    const shown = always === null ? display : { ...display, always: always.pattern }
    const asked = { id, seq: call.seq, callId, tool: name, access, input, display: shown }
    // The tool may have been granted since that read.
    return (yield* storage.ask(context.lease, asked)) === null ? null : id
  })

  /**
   * Stores the rule of a question, and returns what the result has to say if that fails. If another engine asked the
   * question, the policy is asked for the rule.
   */
  const store = Effect.fnUntraced(function* ({ context, part }: CallRun, about: PermittedCall, known: Always | null) {
    const decision = known === null ? yield* decidingNow(context, part, about) : { ...Permissions.ask, always: known }
    // The answer to another call like this one may have stored the rule.
    if (decision._tag === "Allow") return []
    if (decision._tag === "Deny") return [notStored(denied(decision))]
    const { always } = decision
    if (always === null) return [notStored("its agent stores no rules")]
    const exit = yield* Effect.exit(fibers.doing(always.store))
    if (Exit.isSuccess(exit)) return []
    yield* Effect.logError("the rule of a call that was allowed for good could not be stored", exit.cause)
    return [notStored(HandlerResult.describe(Cause.squash(exit.cause)))]
  })

  const decide = Effect.fn("PermissionCheck.permission")(function* (one: CallRun, about: PermittedCall) {
    const { deciding } = about
    const decision = deciding === null ? Permissions.ask : yield* decisionOf(deciding)
    if (decision._tag === "Allow") return permitted
    if (decision._tag === "Deny") return Either.left(denied(decision))
    const asked = yield* question(one, about, decision.always)
    if (asked === null) return permitted
    const answer = yield* answerTo(asked, one.context.session.id)
    if (!allowing.has(answer.verdict)) return Either.left(denialBy(answer))
    return answer.verdict === "allow-always" ? Either.right(yield* store(one, about, decision.always)) : permitted
  })

  /** Whether the policy has allowed a call by now. */
  const isAllowed = (deciding: Deciding): boolean => {
    const exit = AtOnce.poll(deciding)
    return exit !== null && Exit.isSuccess(exit) && exit.value._tag === "Allow"
  }

  /** Whether a call may run: the notes for its result, or why not, as a text for the model. */
  const permission = (one: CallRun, about: PermittedCall) =>
    about.deciding !== null && isAllowed(about.deciding) ? Effect.succeed(permitted) : decide(one, about)

  /**
   * Returns what a permitted call must leave out, or why it must not run after all. If a human was asked about the call
   * under another engine, the policy is asked now: what to leave out is not stored with the question.
   */
  const hiding = (
    { context, part }: CallRun,
    about: PermittedCall
  ): Effect.Effect<Either.Either<Hides | undefined, string>> =>
    Effect.map(about.deciding === null ? decidingNow(context, part, about) : decisionOf(about.deciding), (decision) =>
      decision._tag === "Deny" ? Either.left(denied(decision)) : Either.right(decision.hides)
    )

  return { begin, permission, hiding, isAllowed }
})
