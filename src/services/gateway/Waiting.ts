/** Refuses to wait for a run where the wait would never end. */
import type { TransactionConnection } from "@effect/sql/SqlClient"
import { Context, Effect, Option } from "effect"
import type { Ref, Run, RunId } from "../../domain/Run.js"
import type { SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Tool from "../Tool.js"

/** The tag of @effect/sql by its key: a host without a SQL client need not load the package. */
const HostTransaction = Context.GenericTag<TransactionConnection>("@effect/sql/SqlClient/TransactionConnection")

/** Fails where a run's tools would wait for the host's transaction. `runId` is null for a run that is not sent yet. */
export const outsideTransaction = Effect.fnUntraced(function* (runId: RunId | null) {
  const transaction = yield* Effect.serviceOption(HostTransaction)
  if (Option.isSome(transaction)) return yield* new SkeinError.AwaitInTransaction({ runId })
})

/**
 * Returns the call of the session's own tool, if that call is asking: no run of the session ends before the call does.
 */
export const ownCall = (sessionId: SessionId) =>
  Effect.map(
    Effect.serviceOption(Tool.Call),
    Option.filter((call) => call.sessionId === sessionId)
  )

/** Fails for a run that cannot be waited for. */
export const mayWait = Effect.fnUntraced(function* <E>(
  { runId, sessionId }: Ref,
  find: (runId: RunId) => Effect.Effect<Run, E>
) {
  yield* outsideTransaction(runId)
  if (Option.isNone(yield* ownCall(sessionId))) return
  const { state } = yield* find(runId)
  if (state !== "ended") return yield* new SkeinError.AwaitOwnSession({ sessionId, runId })
})
