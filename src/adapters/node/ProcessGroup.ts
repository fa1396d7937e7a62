/**
 * A process and all that it starts. On POSIX that is a process group: signals to it do not reach a process that has
 * left it (`setsid`, `setpgid`). On Linux such processes are found by a variable that they have inherited; elsewhere,
 * and when they have cleared it, they keep running.
 */
import { Effect, Schedule } from "effect"
import { execFile } from "node:child_process"
import * as RunningProcesses from "./RunningProcesses.js"

export interface ProcessGroup {
  /** The pid of its first process, and the group's own. */
  readonly id: number
  /** The mark that all its processes inherit. */
  readonly mark: RunningProcesses.Mark
}

const signalTo = (target: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(target, signal)
  } catch {
    return false
  }
}

/** Whether anything of a group still runs. Processes that have ended and were not yet reaped do not count. */
const isRunning = (id: number): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    if (!signalTo(-id, 0)) return Effect.succeed(false)
    if (process.platform !== "linux") return Effect.succeed(true)
    return Effect.map(RunningProcesses.all, (all) => all.some(({ group }) => group === id))
  })

/** Milliseconds that the system may take to remove killed processes. */
const killedMillis = 1_000

/**
 * Asks until the answer is no, for at most `millis` milliseconds. Not a timeout, because that does not interrupt a
 * finalizer.
 */
const whileTrue = (question: Effect.Effect<boolean>, millis: number): Effect.Effect<void> =>
  question.pipe(
    Effect.repeat({
      while: (answer) => answer,
      schedule: Schedule.spaced("10 millis").pipe(Schedule.upTo(millis))
    }),
    Effect.asVoid
  )

/** Kills the processes that carry a mark, and those that they start meanwhile. */
export const killMarked = (mark: RunningProcesses.Mark): Effect.Effect<void> =>
  whileTrue(
    RunningProcesses.marked(mark).pipe(
      Effect.tap((marked) => Effect.sync(() => marked.forEach(({ pid }) => signalTo(pid, "SIGKILL")))),
      Effect.map((marked) => marked.length > 0)
    ),
    killedMillis
  )

const killTree = ({ id }: ProcessGroup): Effect.Effect<void> =>
  Effect.async((resume) => {
    execFile("taskkill", ["/pid", `${id}`, "/T", "/F"], () => resume(Effect.void))
  })

/**
 * Ends what is left of a group whose first process has ended: asks it to end, and kills whatever still runs
 * `graceMillis` later. Returns whether anything of it still ran. On Windows nothing is ended: without its first process
 * there is no tree any more.
 */
export const endRest = Effect.fn("ProcessGroup.endRest")(function* (id: number, graceMillis: number) {
  if (process.platform === "win32") return false
  const isLeft = yield* isRunning(id)
  const stages = [
    ["SIGTERM", graceMillis],
    ["SIGKILL", killedMillis]
  ] as const
  for (const [signal, millis] of stages) {
    if (signalTo(-id, signal)) yield* whileTrue(isRunning(id), millis)
  }
  return isLeft
})

/** Ends the whole group the same way, and kills the processes that have left it, as far as they can be found. */
export const endAll = Effect.fn("ProcessGroup.endAll")(function* (group: ProcessGroup, graceMillis: number) {
  if (process.platform === "win32") return yield* killTree(group)
  yield* endRest(group.id, graceMillis)
  if (process.platform === "linux") yield* killMarked(group.mark)
})
