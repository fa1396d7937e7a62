/**
 * Logs: none unless `--log-level` asks for them, and then on stderr, a line each. The option is looked for in the whole
 * command line, as `@effect/cli` finds its own only in some places of it.
 */
import { Array as Arr, Effect, Layer, Logger, LogLevel } from "effect"
import { WrongUsage } from "./Failure.js"
import * as TerminalText from "./TerminalText.js"

const names = LogLevel.allLevels.map((level) => level._tag.toLowerCase())

const levelOf = (name: string | undefined): LogLevel.LogLevel | undefined =>
  LogLevel.allLevels.find((level) => level._tag.toLowerCase() === name?.toLowerCase())

export interface Taken {
  readonly level: LogLevel.LogLevel
  /** The arguments without the option. */
  readonly args: ReadonlyArray<string>
}

/** Takes `--log-level LEVEL` or `--log-level=LEVEL` out of the arguments. What follows `--` is left alone. */
export const take = (args: ReadonlyArray<string>): Effect.Effect<Taken, WrongUsage> => {
  const [options, rest] = Arr.span(args, (arg) => arg !== "--")
  const at = options.findIndex((arg) => arg === "--log-level" || arg.startsWith("--log-level="))
  if (at === -1) return Effect.succeed({ level: LogLevel.None, args })
  const isJoined = options[at] !== "--log-level"
  const level = levelOf(isJoined ? options[at]?.slice("--log-level=".length) : options[at + 1])
  return level === undefined
    ? new WrongUsage({ detail: `--log-level takes one of ${names.join(", ")}` })
    : Effect.succeed({ level, args: [...options.toSpliced(at, isJoined ? 1 : 2), ...rest] })
}

const logger = Logger.map(Logger.logfmtLogger, (line) => void process.stderr.write(`${TerminalText.line(line)}\n`))

export const layer = (level: LogLevel.LogLevel): Layer.Layer<never> =>
  Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(level))
