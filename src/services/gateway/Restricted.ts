/**
 * The Gateway narrowed to one owner's sessions, to reading, or to both. Another owner's session, run or question is not
 * found, as if it did not exist. Sessions are created for the owner, and lists hold only the owner's. With the scope
 * "read" an operation that would change something is refused before anything is read.
 *
 * Each operation is guarded by the id that its payload names; see `whose` in the list of operations. The guard reads
 * separately from what it guards, which is enough: a session's owner never changes.
 */
import { Effect, Stream } from "effect"
import type { Owner, SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Actor from "../Actor.js"
import type { Service } from "./Gateway.js"
import { type Access, type Ids, type Operation, operations, type Whose } from "./Operations.js"
import * as Refusals from "./Refusals.js"
import type { SessionChange } from "./Replies.js"

type OwnedIds = Exclude<Whose, "all">

interface GuardError {
  readonly session: SkeinError.ReadSession
  readonly run: SkeinError.ReadRun
  readonly question: SkeinError.ReadQuestion
}

type Guards = { readonly [W in OwnedIds]: (ids: Ids[W]) => Effect.Effect<unknown, GuardError[W]> }

/** What a gateway is narrowed to. */
export interface Restriction {
  /** The owner whose sessions are visible. Defaults to everybody's. */
  readonly owner?: Owner | undefined
  /** "read" refuses every change with `Forbidden`. Defaults to "write". */
  readonly scope?: Access | undefined
  /** The actor that every change is stored with. Defaults to the actor of the calling fiber, see `Actor.as`. */
  readonly actor?: Actor.Actor | undefined
}

/** A gateway's methods, within a restriction. */
export const narrow = (gateway: Service, { actor, owner, scope = "write" }: Restriction): Service => {
  const acting = actor === undefined ? gateway : actingAs(gateway, actor)
  return within(owner === undefined ? acting : owned(acting, owner), scope)
}

/** Wraps a method that changes something. */
type Wrap = <Args extends ReadonlyArray<unknown>, A, E>(
  operation: { readonly name: string },
  change: (...args: Args) => Effect.Effect<A, E | SkeinError.Forbidden>
) => (...args: Args) => Effect.Effect<A, E | SkeinError.Forbidden>

/** The gateway with each of its changes wrapped. */
const wrapChanges = (gateway: Service, wrap: Wrap): Service => ({
  ...gateway,
  create: wrap(operations.create, gateway.create),
  send: wrap(operations.send, gateway.send),
  resume: wrap(operations.resume, gateway.resume),
  recover: wrap(operations.recover, gateway.recover),
  append: wrap(operations.append, gateway.append),
  cancel: wrap(operations.cancel, gateway.cancel),
  patch: wrap(operations.patch, gateway.patch),
  patchMany: wrap(operations.patchMany, gateway.patchMany),
  delete: wrap(operations.delete, gateway.delete),
  answer: wrap(operations.answer, gateway.answer),
  saveAsset: (input) => wrap(operations.saveAsset, () => gateway.saveAsset(input))(),
  deleteAsset: wrap(operations.deleteAsset, gateway.deleteAsset),
  importSessions: (input) => wrap(operations.importSessions, () => gateway.importSessions(input))()
})

/** Refuses changes unless the scope allows them. */
const within = (gateway: Service, scope: Access): Service =>
  scope === "write"
    ? gateway
    : wrapChanges(
        gateway,
        ({ name }) =>
          () =>
            new SkeinError.Forbidden({ operation: name })
      )

/** Makes each change as an actor. */
const actingAs = (gateway: Service, actor: Actor.Actor): Service =>
  wrapChanges(
    gateway,
    (_, change) =>
      (...args) =>
        Actor.as(actor)(change(...args))
  )

const owned = (gateway: Service, owner: Owner): Service => {
  const own = (sessionId: SessionId) =>
    Effect.filterOrFail(
      gateway.session(sessionId),
      (session) => session.owner === owner,
      () => new SkeinError.SessionNotFound({ sessionId })
    )

  const ownParent = (parent: SessionId) => Effect.catchTag(own(parent), "SessionNotFound", () => Refusals.noParent)

  const guards: Guards = {
    session: ({ sessionId }) => own(sessionId),
    run: ({ runId }) =>
      Effect.flatMap(gateway.run(runId), ({ sessionId }) =>
        Effect.catchTag(own(sessionId), "SessionNotFound", () => new SkeinError.RunNotFound({ runId }))
      ),
    question: ({ questionId }) =>
      Effect.flatMap(gateway.question(questionId), ({ sessionId }) =>
        Effect.catchTag(own(sessionId), "SessionNotFound", () => new SkeinError.QuestionNotFound({ questionId }))
      )
  }

  const guard = <W extends OwnedIds, P extends Ids[W], Args extends ReadonlyArray<unknown>>(
    { read, whose }: Pick<Operation<W, P, Args>, "read" | "whose">,
    args: Args
  ): Effect.Effect<unknown, GuardError[W] | SkeinError.InvalidInput> =>
    Effect.flatMap(
      Effect.suspend(() => read(...args)),
      guards[whose]
    )

  const guarded =
    <W extends OwnedIds, P extends Ids[W], Args extends ReadonlyArray<unknown>, A, E, R>(
      operation: Pick<Operation<W, P, Args>, "read" | "whose">,
      method: (...args: Args) => Effect.Effect<A, E, R>
    ) =>
    (...args: Args) =>
      Effect.zipRight(guard(operation, args), method(...args))

  const guardedStream =
    <W extends OwnedIds, P extends Ids[W], Args extends ReadonlyArray<unknown>, A, E>(
      operation: Pick<Operation<W, P, Args>, "read" | "whose">,
      method: (...args: Args) => Stream.Stream<A, E>
    ) =>
    (...args: Args) =>
      Stream.unwrap(Effect.as(guard(operation, args), method(...args)))

  return {
    agents: gateway.agents,
    limits: gateway.limits,
    create: (input) =>
      Effect.gen(function* () {
        const { parent } = yield* operations.create.read(input)
        if (parent !== undefined) yield* ownParent(parent)
        return yield* gateway.create({ ...input, owner })
      }),
    session: own,
    sessions: (query) => gateway.sessions({ ...query, owner }),
    entry: guarded(operations.entry, gateway.entry),
    transcript: guardedStream(operations.transcript, gateway.transcript),
    timeline: guardedStream(operations.timeline, gateway.timeline),
    send: guarded(operations.send, gateway.send),
    resume: guarded(operations.resume, gateway.resume),
    recover: (which) => gateway.recover({ ...which, owner }),
    append: guarded(operations.append, gateway.append),
    cancel: guarded(operations.cancel, gateway.cancel),
    patch: guarded(operations.patch, gateway.patch),
    patchMany: (input) =>
      Effect.gen(function* () {
        const { sessionIds, ...changes } = yield* operations.patchMany.read(input)
        return yield* Effect.forEach(sessionIds, (sessionId) =>
          Effect.match(Effect.zipRight(own(sessionId), gateway.patch({ sessionId, ...changes })), {
            onSuccess: (session): SessionChange => ({ _tag: "Changed", session }),
            onFailure: (error): SessionChange => ({ _tag: "Failed", sessionId, error })
          })
        )
      }),
    delete: guarded(operations.delete, gateway.delete),
    run: guarded(operations.run, gateway.run),
    runRef: guarded(operations.runRef, gateway.runRef),
    runs: guarded(operations.runs, gateway.runs),
    await: guarded(operations.await, gateway.await),
    changes: (query) => gateway.changes({ ...query, owner }),
    events: guardedStream(operations.events, gateway.events),
    subscribe: guarded(operations.subscribe, gateway.subscribe),
    snapshot: guarded(operations.snapshot, gateway.snapshot),
    question: guarded(operations.question, gateway.question),
    questions: (which = {}) =>
      Effect.gen(function* () {
        const { sessionId } = yield* operations.questions.read(which)
        if (sessionId !== undefined) yield* own(sessionId)
        return yield* gateway.questions({ ...which, owner })
      }),
    answer: guarded(operations.answer, gateway.answer),
    saveAsset: (input) => Effect.zipRight(guard(operations.saveAsset, [input]), gateway.saveAsset(input)),
    assets: guarded(operations.assets, gateway.assets),
    openAsset: guardedStream(operations.openAsset, gateway.openAsset),
    deleteAsset: guarded(operations.deleteAsset, gateway.deleteAsset),
    exportSessions: (which = {}) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const { sessionIds } = yield* operations.exportSessions.read(which)
          yield* Effect.forEach(sessionIds ?? [], own, { discard: true })
          return gateway.exportSessions({ ...which, owner })
        })
      ),
    importSessions: (input) => gateway.importSessions({ ...input, owner })
  }
}
