/**
 * `CallProcesses` on Linux. On other systems nothing is found, as they do not show reliably what environment a process
 * was started with.
 */
import { Array as Arr, Effect, Layer } from "effect"
import type { CallId } from "../../domain/Message.js"
import { CallProcesses } from "../../services/CallProcesses.js"
import * as ProcessGroup from "./ProcessGroup.js"
import * as RunningProcesses from "./RunningProcesses.js"

/** Milliseconds between being asked to end and being killed. */
const graceMillis = 500

export const markOf = (callId: CallId): RunningProcesses.Mark => ({ variable: "SKEIN_CALL", value: callId })

/** The groups are asked to end and killed; then what has left them meanwhile. */
const endOne = Effect.fnUntraced(function* (callId: CallId) {
  const mark = markOf(callId)
  const groups = Arr.dedupe((yield* RunningProcesses.marked(mark)).map(({ group }) => group))
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
