/**
 * A scheduler driven by its seed alone: which ready fiber goes next, where a fiber is made to yield and when time
 * passes are drawn from one generator, so that a seed stands for one interleaving and produces the same one each time.
 *
 * Tasks of one fiber keep their order. A fiber is made to yield only after a cool-down of checks, because a fiber that
 * yields at every check would never finish. Time passes when no fiber is ready, and sometimes while one is: otherwise a
 * timeout could never win a race.
 *
 * A process can be killed: the fibers that belong to it never run again, wherever they were.
 */
import { type Fiber, FiberRef, type Scheduler, Utils } from "effect"
import { VirtualClock } from "./VirtualClock.js"

/** Checks between two forced yields of a fiber. */
const coolDown = 8
const yieldChance = 0.15
/**
 * The probabilities that time passes while a fiber is ready: often a little, seldom much; without this nothing would
 * end in time.
 */
const timeChances = { little: 0.05, much: 0.0005 }
const littleMillis = 30

/**
 * The process that a fiber belongs to, inherited by the fibers that it starts. Empty for the world around the
 * processes.
 */
export const processOf = FiberRef.unsafeMake("")

/** No fiber is ready, no timer is set, and the program has not ended. */
class Deadlock extends Error {}

/** More turns than any program here takes. */
class Endless extends Error {}

export class SeededScheduler implements Scheduler.Scheduler {
  readonly random: Utils.PCGRandom
  readonly clock = new VirtualClock()
  /**
   * Two numbers per turn: how many fibers were ready, and which of them was taken. Two runs of a seed have the same
   * trace.
   */
  readonly trace: Array<number> = []
  private readonly killed = new Set<string>()
  private readonly ready = new Map<unknown, { readonly process: string; readonly tasks: Array<Scheduler.Task> }>()

  constructor(seed: number) {
    this.random = new Utils.PCGRandom(seed)
  }

  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    return fiber.currentOpCount > coolDown && this.random.number() < yieldChance ? 0 : false
  }

  scheduleTask(task: Scheduler.Task, _priority: number, fiber?: Fiber.RuntimeFiber<unknown, unknown>): void {
    const process = fiber?.getFiberRef(processOf) ?? ""
    if (this.killed.has(process)) return
    const key = fiber ?? this
    const waiting = this.ready.get(key)
    if (waiting === undefined) this.ready.set(key, { process, tasks: [task] })
    else waiting.tasks.push(task)
  }

  /** Keeps everything that belongs to `process` from running again. */
  kill(process: string): void {
    this.killed.add(process)
    for (const [key, waiting] of this.ready) {
      if (waiting.process === process) this.ready.delete(key)
    }
  }

  isAlive(process: string): boolean {
    return !this.killed.has(process)
  }

  /** Takes turns until `isDone` returns true. */
  run(isDone: () => boolean, limit = 150_000): void {
    for (let turn = 0; !isDone(); turn++) {
      if (turn > limit) throw new Endless(`not done after ${limit} turns`)
      const chance = this.clock.untilNext <= littleMillis ? timeChances.little : timeChances.much
      const passes = this.clock.isWaiting && (this.ready.size === 0 || this.random.number() < chance)
      if (passes) this.clock.advance()
      else this.take()
    }
  }

  private take(): void {
    const keys = [...this.ready.keys()]
    if (keys.length === 0) throw new Deadlock("no fiber is ready and no timer is set")
    const place = this.random.integer(keys.length)
    this.trace.push(keys.length, place)
    const key = keys[place]
    const tasks = this.ready.get(key)?.tasks ?? []
    const task = tasks.shift()
    if (tasks.length === 0) this.ready.delete(key)
    task?.()
  }
}
