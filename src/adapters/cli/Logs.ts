/**
 * Logs: none unless `--log-level` asks for them, a line of `key=value` pairs each, on stderr or at the end of the file
 * that `--log-file` names. The options are looked for in the whole command line, as `@effect/cli` finds its own only in
 * some places of it.
 */
import { Array as Arr, Effect, Layer, Logger, LogLevel, Predicate, type Scope } from "effect"
import { closeSync, openSync, writeSync } from "node:fs"
import { WrongUsage } from "./Failure.js"
import * as TerminalText from "./terminal/TerminalText.js"

const names = LogLevel.allLevels.map((level) => level._tag.toLowerCase())

const levelOf = (name: string | undefined): LogLevel.LogLevel | undefined =>
  LogLevel.allLevels.find((level) => level._tag.toLowerCase() === name?.toLowerCase())

export interface Taken {
  readonly level: LogLevel.LogLevel
  /** Null for stderr. */
  readonly file: string | null
  /** The arguments without the options. */
  readonly args: ReadonlyArray<string>
}

/** Takes `--NAME VALUE` or `--NAME=VALUE` out of the arguments. What follows `--` is left alone. */
const takeOption = (args: ReadonlyArray<string>, name: string) => {
  const [options, rest] = Arr.span(args, (arg) => arg !== "--")
  const at = options.findIndex((arg) => arg === name || arg.startsWith(`${name}=`))
  if (at === -1) return { given: false, value: undefined, args } as const
  const isJoined = options[at] !== name
  const value = isJoined ? options[at]?.slice(name.length + 1) : options[at + 1]
  return { given: true, value, args: [...options.toSpliced(at, isJoined ? 1 : 2), ...rest] } as const
}

/** Takes `--log-level LEVEL` and `--log-file FILE` out of the arguments. A file without a level logs from `info` on. */
export const take = (args: ReadonlyArray<string>): Effect.Effect<Taken, WrongUsage> =>
  Effect.gen(function* () {
    const file = takeOption(args, "--log-file")
    if (file.given && (file.value === undefined || file.value === "" || file.value.startsWith("-"))) {
      return yield* new WrongUsage({ detail: "--log-file takes a file" })
    }
    const named = takeOption(file.args, "--log-level")
    const level = named.given ? levelOf(named.value) : file.given ? LogLevel.Info : LogLevel.None
    if (level === undefined) return yield* new WrongUsage({ detail: `--log-level takes one of ${names.join(", ")}` })
    return { level, file: file.value ?? null, args: named.args }
  })

/** Opened before anything is done: a file that cannot be written is wrong usage. Never wider than its owner's. */
const lineWriter = (file: string | null): Effect.Effect<(line: string) => void, WrongUsage, Scope.Scope> =>
  file === null
    ? Effect.succeed((line) => void process.stderr.write(`${line}\n`))
    : Effect.map(
        Effect.acquireRelease(
          Effect.try({
            try: () => openSync(file, "a", 0o600),
            catch: (error) =>
              new WrongUsage({
                detail: `--log-file ${TerminalText.short(file, 80)} cannot be written: ${codeOf(error)}`
              })
          }),
          (descriptor) => Effect.sync(() => closeSync(descriptor))
        ),
        (descriptor) => (line) => void writeSync(descriptor, `${line}\n`)
      )

const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : "unknown"

export const layer = ({ file, level }: Taken): Layer.Layer<never, WrongUsage> =>
  Layer.unwrapScoped(
    Effect.map(lineWriter(file), (write) =>
      Layer.merge(
        Logger.replace(
          Logger.defaultLogger,
          Logger.map(Logger.logfmtLogger, (line) => write(TerminalText.line(line)))
        ),
        Logger.minimumLogLevel(level)
      )
    )
  )
