/** A clock that the test advances: sleepers are woken when their time has come, in order. */
import { Clock, Duration, Effect } from "effect"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export interface HandClock {
  readonly clock: Clock.Clock
  readonly millis: () => number
  /** Lets `millis` milliseconds pass, running whatever is woken on the way. */
  readonly pass: (millis: number) => Effect.Effect<void>
  /** Lets `millis` milliseconds pass in one jump, before anything else can happen. */
  readonly jump: (millis: number) => Effect.Effect<void>
}

export const make = (): HandClock => {
  let now = 1_000_000
  let sleepers: ReadonlyArray<Sleeper> = []
  const sleep = (duration: Duration.Duration) =>
    Effect.async<void>((resume) => {
      const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
      sleepers = [...sleepers, sleeper]
      return Effect.sync(() => void (sleepers = sleepers.filter((other) => other !== sleeper)))
    })
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(now) * 1_000_000n,
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(now) * 1_000_000n),
    sleep
  }
  /** Lets everything that waits for input or for a turn of the event loop go on. */
  const settle = Effect.repeatN(
    Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void))),
    3
  )
  const wakeDue = () => {
    const due = sleepers.filter(({ at }) => at <= now)
    sleepers = sleepers.filter(({ at }) => at > now)
    for (const { wake } of due) wake()
  }
  return {
    clock,
    millis: () => now,
    pass: (millis) =>
      Effect.gen(function* () {
        yield* settle
        const end = now + millis
        while (true) {
          const next = Math.min(...sleepers.map(({ at }) => at))
          if (next > end) break
          now = Math.max(now, next)
          wakeDue()
          yield* settle
        }
        now = end
      }),
    jump: (millis) =>
      Effect.sync(() => {
        now += millis
        wakeDue()
      })
  }
}
