/**
 * What a run of this process writes, streamed to another process that asks for it. The stream ends with the run; a
 * process that wants to know more about the session then reads rows, as it does for everything that is stored. One beat
 * per second says that this process is still there.
 */
import { Effect, Schedule, Stream } from "effect"
import type { Cursor, SessionId } from "../../domain/Session.js"
import type { SessionEvent } from "../../domain/SessionEvent.js"
import type { Service } from "../../services/gateway/Gateway.js"
import type * as LiveRuns from "../../services/runtime/LiveRuns.js"
import type { Told } from "./Mirroring.js"

/** A stored run is driven only a moment later; a `patient` caller waits this long for it. */
const patience = "500 millis"

const ends = ({ type }: SessionEvent): boolean =>
  type === "run.ended" || type === "run.released" || type === "session.deleted"

export const make =
  (local: Pick<Service, "subscribe">, live: LiveRuns.Service) =>
  (sessionId: SessionId, after: Cursor, patient: boolean): Stream.Stream<Told> => {
    const isHere = () => live.get(sessionId) !== undefined
    const whenHere = Effect.async<void>((resume) => {
      if (isHere()) return resume(Effect.void)
      const end = live.listen(sessionId, () => resume(Effect.void))
      return Effect.sync(end)
    })
    const beats = Stream.fromSchedule(Schedule.spaced("1 second")).pipe(Stream.as("beat" as const))
    const told = Stream.unwrapScoped(
      Effect.gen(function* () {
        if (patient) yield* Effect.timeoutOption(whenHere, patience)
        if (!isHere()) return Stream.empty
        const events = yield* local.subscribe({ sessionId, after })
        const all = Stream.concat(Stream.succeed("here" as const), Stream.takeUntil(events, ends))
        return Stream.merge(all, beats, { haltStrategy: "left" })
      })
    )
    return Stream.catchAll(told, () => Stream.empty)
  }
