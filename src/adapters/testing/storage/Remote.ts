/** The tests' side of a process that serves a storage: it sends tasks, and kills the process. */
import { Chunk, Effect, Option, Schema, Stream } from "effect"
import type { Scope } from "effect"
import * as Process from "../Process.js"
import type { Program } from "./StorageFolder.js"
import { type Report, ReportLine, type Task, TaskLine } from "./Task.js"

/** The program ended although nobody had killed it, or wrote something that is not a report. */
export class ProgramFailed extends Schema.TaggedError<ProgramFailed>()("ProgramFailed", {
  command: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.command}: ${this.detail}`
  }
}

export interface Remote {
  /** Sends a task, and does not wait for its reports. */
  readonly begin: (task: Task) => Effect.Effect<void>
  /** Waits for the end of the task. Returns the reports since the last call. */
  readonly finish: Effect.Effect<ReadonlyArray<Report>, ProgramFailed>
  readonly ask: (task: Task) => Effect.Effect<ReadonlyArray<Report>, ProgramFailed>
  /** Waits until this many things were acknowledged. */
  readonly acknowledges: (times: number) => Effect.Effect<ReadonlyArray<Report>, ProgramFailed>
  /** Kills the process with a signal that it cannot catch. Returns what it had reported before. */
  readonly kill: Effect.Effect<ReadonlyArray<Report>>
}

/** Starts a program and waits until it has opened its storage. Kills it when the scope closes. */
export const start = ({ args, command, env = {} }: Program): Effect.Effect<Remote, ProgramFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const inherited = Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const]
    )
    const environment = { ...Object.fromEntries(inherited), ...env }
    const running = yield* Process.start(command, args, { talks: true, env: environment })
    const failed = (detail: string) => new ProgramFailed({ command: [command, ...args].join(" "), detail })

    /** The next report; none once the program has ended. */
    const next = Effect.gen(function* () {
      const line = yield* running.line
      if (Option.isNone(line)) return Option.none()
      const report = Schema.decodeOption(ReportLine)(line.value)
      return Option.isSome(report) ? report : yield* failed(`told ${JSON.stringify(line.value)}`)
    })
    const until = (isLast: (report: Report, count: number) => boolean) =>
      Effect.gen(function* () {
        const told: Array<Report> = []
        for (;;) {
          const report = yield* next
          if (Option.isNone(report)) {
            const { code, signal, stderr } = yield* running.ended
            return yield* failed(`ended with ${code ?? signal}: ${stderr}`)
          }
          told.push(report.value)
          if (isLast(report.value, told.length)) return told
        }
      })
    // A report that the kill interrupted does not count.
    const rest = Effect.map(
      Stream.runCollect(Stream.repeatEffectOption(Effect.mapError(Effect.flatten(next), () => Option.none()))),
      Chunk.toReadonlyArray
    )

    yield* until(({ _tag }) => _tag === "Ready")
    const begin = (task: Task) => running.say(Schema.encodeSync(TaskLine)(task))
    const finish = until(({ _tag }) => _tag === "Done")
    return {
      begin,
      finish,
      ask: (task) => Effect.zipRight(begin(task), finish),
      acknowledges: (times) => until((report, count) => report._tag === "Done" || count >= times),
      kill: running.signal("SIGKILL").pipe(Effect.zipRight(rest), Effect.zipLeft(running.ended))
    }
  })

/** The acknowledged things, in order. */
export const acknowledged = (reports: ReadonlyArray<Report>): ReadonlyArray<string> =>
  reports.flatMap((report) => (report._tag === "Acknowledged" ? [report.what] : []))

/** The storage's answers, and the errors with which it refused. */
export const outcomes = (reports: ReadonlyArray<Report>): ReadonlyArray<string> =>
  reports.flatMap((report) => {
    if (report._tag === "Answered") return [report.outcome]
    return report._tag === "Refused" ? [report.error] : []
  })
