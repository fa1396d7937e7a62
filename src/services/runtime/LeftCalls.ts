/**
 * What the calls of a dead engine have left running on this host. It is ended before the session goes on, because it
 * may still change what the next call works on. A process that a call with a result left behind on purpose stays.
 */
import { Effect, Option } from "effect"
import type { Lease } from "../../domain/Lease.js"
import { CallProcesses } from "../CallProcesses.js"
import { StorageReader } from "../storage/Storage.js"

export const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const processes = yield* CallProcesses

  /** Ends what the started calls of the run with this lease left running. The run's engine must be dead. */
  const end = Effect.fn("LeftCalls.end")(
    function* ({ fence, sessionId }: Lease) {
      const { calls } = yield* reader.openBatch(sessionId)
      const started = calls.filter(({ state }) => state === "started").map(({ callId }) => callId)
      if (started.length === 0) return
      // Another engine may have taken the run over by now, and started calls of its own.
      const { holder } = yield* reader.occupancy(sessionId)
      if (Option.exists(holder, ({ lease }) => lease.fence === fence)) yield* processes.end(started)
      // Nothing is known about a session with a damaged row; it can still be taken over, and so deleted.
    },
    Effect.catchTag("RowDamaged", () => Effect.void)
  )

  return { end }
})
