/**
 * Logs, one line of `key=value` pairs each: none by default; on stderr with `--log-level`, at the end of a file with
 * `--log-file`. A line has each key once, and is nowhere else: not among the events of a span.
 */
import { Array, Effect, HashMap, Layer, Logger, LogLevel, type Scope } from "effect"
import { codeOf } from "../ErrorCode.js"
import type { Values } from "./CommandLine.js"
import { WrongUsage } from "./Failure.js"
import * as LogFile from "./LogFile.js"
import { Screen } from "./terminal/Screen.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Failures.js"

const names = LogLevel.allLevels.map((level) => level._tag.toLowerCase())

export interface Settings {
  readonly level: LogLevel.LogLevel
  /** Null for stderr. */
  readonly file: string | null
}

/** The settings of a command line. A file without a level logs from `info` on. */
export const settings = (given: Values): Effect.Effect<Settings, WrongUsage> => {
  const [named, file] = [given.value("log-level"), given.value("log-file")]
  if (named === null) return Effect.succeed({ level: file === null ? LogLevel.None : LogLevel.Info, file })
  const level = LogLevel.allLevels.find(({ _tag }) => _tag.toLowerCase() === named.toLowerCase())
  return level === undefined
    ? Effect.fail(new WrongUsage({ detail: Texts.unknownLogLevel(names) }))
    : Effect.succeed({ level, file })
}

/** Opened before anything else happens: a file that cannot be written is wrong usage. */
const lineWriter = (file: string | null): Effect.Effect<(line: string) => void, WrongUsage, Scope.Scope | Screen> =>
  Effect.flatMap(Screen, ({ log }) => {
    if (file === null) return Effect.succeed((line) => log(`${line}\n`))
    const name = TerminalText.short(file, 80)
    const opened = Effect.try({
      try: () =>
        LogFile.open(file, {
          failed: (code) => log(`skein: ${Texts.droppedLog(name, code)}\n`),
          works: (dropped) => log(`skein: ${Texts.writableLog(name, dropped)}\n`)
        }),
      catch: (error) => new WrongUsage({ detail: Texts.unwritableLog(name, codeOf(error)) })
    })
    return Effect.map(
      Effect.acquireRelease(opened, ({ close }) => Effect.sync(close)),
      ({ write }) => write
    )
  })

/** The keys of every line; an annotation by such a name gets another one. */
const ownKeys: ReadonlySet<string> = new Set(["timestamp", "level", "fiber", "message", "cause", "detail"])

/** Texts that were logged together are one message, and whatever else was logged with them is the detail. */
const formatted = Logger.make<unknown, string>((options) => {
  const [texts, others] = Array.partition(Array.ensure(options.message), (said) => typeof said !== "string")
  const annotations = HashMap.reduce(options.annotations, HashMap.empty<string, unknown>(), (all, value, key) =>
    HashMap.set(all, ownKeys.has(key) ? `${key}_` : key, value)
  )
  return Logger.logfmtLogger.log({
    ...options,
    message: [texts.join(" ")],
    annotations:
      others.length === 0 ? annotations : HashMap.set(annotations, "detail", others.length === 1 ? others[0] : others)
  })
})

export const layer = ({ file, level }: Settings): Layer.Layer<never, WrongUsage, Screen> =>
  Layer.unwrapScoped(
    Effect.map(lineWriter(file), (write) =>
      Layer.mergeAll(
        Logger.replace(
          Logger.defaultLogger,
          Logger.map(formatted, (line) => write(TerminalText.line(line)))
        ),
        Logger.remove(Logger.tracerLogger),
        Logger.minimumLogLevel(level)
      )
    )
  )
