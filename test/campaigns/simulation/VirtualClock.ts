/** A clock that stands still until it is advanced, and then jumps to its next timer. */
import { Clock, Duration, Effect } from "effect"

interface Timer {
  readonly due: number
  readonly order: number
  readonly ring: () => void
}

export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private now = Date.UTC(2030, 0, 1)
  private order = 0
  private timers: ReadonlyArray<Timer> = []

  readonly currentTimeMillis = Effect.sync(() => this.now)
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(this.now) * 1_000_000n
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const timer: Timer = {
        due: this.now + Math.ceil(Duration.toMillis(duration)),
        order: this.order++,
        ring: () => resume(Effect.void)
      }
      this.timers = [...this.timers, timer].sort((a, b) => a.due - b.due || a.order - b.order)
      return Effect.sync(() => {
        this.timers = this.timers.filter((one) => one !== timer)
      })
    })
  }

  /** Milliseconds to the next timer. */
  get untilNext(): number {
    return (this.timers[0]?.due ?? Number.POSITIVE_INFINITY) - this.now
  }

  get isWaiting(): boolean {
    return this.timers.some(({ due }) => Number.isFinite(due))
  }

  /** Jumps to the next timer and fires it. */
  advance(): void {
    const [first, ...rest] = this.timers
    if (first === undefined) return
    this.timers = rest
    this.now = Math.max(this.now, first.due)
    first.ring()
  }
}
