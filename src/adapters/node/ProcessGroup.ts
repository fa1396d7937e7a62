/**
 * A process and all that it starts. On POSIX that is a process group: a process that leaves it (`setsid`, `setpgid`) is
 * not reached by signals to it. On Linux such processes are found by a variable that they have inherited; elsewhere, and
 * when they have cleared it, they stay.
 */
import { Effect, Option, Schedule } from "effect"
import { execFile } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import * as ProcessStat from "./ProcessStat.js"

/** The variable by which all descendants of one command are known. */
export const markVariable = "SKEIN_EXEC"

export interface ProcessGroup {
  /** The pid of its first process, and the group's own. */
  readonly id: number
  /** The value of `markVariable`. */
  readonly mark: string
}

const signalTo = (target: number, signal: NodeJS.Signals | 0): boolean => {
  try {
    return process.kill(target, signal)
  } catch {
    return false
  }
}

/** The processes that run now. */
const running: Effect.Effect<ReadonlyArray<ProcessStat.ProcessStat>> = Effect.tryPromise(() => readdir("/proc")).pipe(
  Effect.orElseSucceed((): ReadonlyArray<string> => []),
  Effect.flatMap((names) =>
    Effect.forEach(
      names.filter((name) => /^\d+$/.test(name)),
      (name) =>
        Effect.orElseSucceed(
          Effect.tryPromise(() => readFile(`/proc/${name}/stat`, "utf8")),
          () => ""
        ),
      { concurrency: 16 }
    )
  ),
  Effect.map((texts) =>
    texts.flatMap((text) => {
      const stat = ProcessStat.parse(text)
      return Option.isSome(stat) && !ProcessStat.hasEnded(stat.value) ? [stat.value] : []
    })
  )
)

/** Whether anything of a group still runs. Processes that have ended and were not yet reaped do not count. */
const isRunning = (id: number): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    if (!signalTo(-id, 0)) return Effect.succeed(false)
    if (process.platform !== "linux") return Effect.succeed(true)
    return Effect.map(running, (all) => all.some(({ group }) => group === id))
  })

const carriesMark = (pid: number, mark: string): Effect.Effect<boolean> =>
  Effect.tryPromise(() => readFile(`/proc/${pid}/environ`, "latin1")).pipe(
    Effect.map((environment) => environment.split("\0").includes(`${markVariable}=${mark}`)),
    Effect.orElseSucceed(() => false)
  )

/** Milliseconds in which the system takes killed processes away. */
const killedMillis = 1_000

/** Asks until the answer is no, for at most so many milliseconds. No time-out: a finalizer is not interrupted by one. */
const whileTrue = (question: Effect.Effect<boolean>, millis: number): Effect.Effect<void> =>
  question.pipe(
    Effect.repeat({
      while: (answer) => answer,
      schedule: Schedule.spaced("10 millis").pipe(Schedule.upTo(millis))
    }),
    Effect.asVoid
  )

/** Kills the processes that have left the group, and those that they start meanwhile. */
const killEscaped = ({ mark }: ProcessGroup): Effect.Effect<void> =>
  whileTrue(
    running.pipe(
      Effect.flatMap(Effect.filter(({ pid }) => carriesMark(pid, mark), { concurrency: 16 })),
      Effect.tap((escaped) => Effect.sync(() => escaped.forEach(({ pid }) => signalTo(pid, "SIGKILL")))),
      Effect.map((escaped) => escaped.length > 0)
    ),
    killedMillis
  )

const killTree = ({ id }: ProcessGroup): Effect.Effect<void> =>
  Effect.async((resume) => {
    execFile("taskkill", ["/pid", `${id}`, "/T", "/F"], () => resume(Effect.void))
  })

/**
 * Ends what is left of a group whose first process has ended: asks it to, and kills what has not ended `graceMillis`
 * later. Returns whether anything of it still ran. On Windows nothing is ended: without that process there is no tree
 * any more.
 */
export const endRest = Effect.fn("ProcessGroup.endRest")(function* ({ id }: ProcessGroup, graceMillis: number) {
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

/** Ends the whole group likewise, and kills what has left it as far as it can be found. */
export const endAll = Effect.fn("ProcessGroup.endAll")(function* (group: ProcessGroup, graceMillis: number) {
  if (process.platform === "win32") return yield* killTree(group)
  yield* endRest(group, graceMillis)
  if (process.platform === "linux") yield* killEscaped(group)
})
