/**
 * `CallProcesses` on Linux. On other systems nothing is found, because they do not reliably show the environment that a
 * process was started with.
 */
import { Array as Arr, Deferred, Effect, FiberId, Layer } from "effect"
import type { CallId } from "../../domain/Message.js"
import { CallProcesses } from "../../services/CallProcesses.js"
import * as OneByOne from "../../services/OneByOne.js"
import * as ProcessGroup from "./ProcessGroup.js"
import type { ProcessStat } from "./ProcessStat.js"
import * as RunningProcesses from "./RunningProcesses.js"

/** Milliseconds between being asked to end and being killed. */
const graceMillis = 500

const variable = "SKEIN_CALL"

export const markOf = (callId: CallId): RunningProcesses.Mark => ({ variable, value: callId })

const oneByOne = OneByOne.make()
let next: Deferred.Deferred<ReadonlyMap<string, ReadonlyArray<ProcessStat>>> | null = null

/**
 * Lists all processes, once for all callers that ask before the listing begins: an engine may have died with many
 * calls. The listing belongs to no caller: the first one may be interrupted while the others still wait for it.
 */
const look = Effect.uninterruptibleMask((restore) =>
  Effect.suspend(() => {
    if (next !== null) return restore(Deferred.await(next))
    const found = Deferred.unsafeMake<ReadonlyMap<string, ReadonlyArray<ProcessStat>>>(FiberId.none)
    next = found
    const looking = Effect.suspend(() => {
      next = null
      return RunningProcesses.byValue(variable)
    })
    return Effect.zipRight(
      Effect.forkDaemon(Effect.intoDeferred(oneByOne(looking), found)),
      restore(Deferred.await(found))
    )
  })
)

/**
 * Asks a call's groups to end and kills them, then kills the processes that have left them meanwhile. Most calls have
 * started nothing.
 */
const endOne = Effect.fnUntraced(function* (callId: CallId) {
  const mark = markOf(callId)
  const groups = Arr.dedupe(((yield* look).get(callId) ?? []).map(({ group }) => group))
  if (groups.length === 0) return
  const end = (group: number) => ProcessGroup.endRest(group, graceMillis)
  yield* Effect.forEach(groups, end, { concurrency: "unbounded", discard: true })
  yield* ProcessGroup.killMarked(mark)
})

export const layer: Layer.Layer<CallProcesses> = Layer.succeed(CallProcesses, {
  end: Effect.fn("CallProcesses.end")((callIds: ReadonlyArray<CallId>) =>
    process.platform === "linux"
      ? Effect.forEach(callIds, endOne, { concurrency: "unbounded", discard: true })
      : Effect.void
  )
})
