/**
 * Logs, one line of `key=value` pairs each: none by default; on stderr with `--log-level`, at the end of a file with
 * `--log-file`.
 */
import { Effect, Layer, Logger, LogLevel, type Scope } from "effect"
import { closeSync, openSync, writeSync } from "node:fs"
import { codeOf } from "../ErrorCode.js"
import type { Values } from "./CommandLine.js"
import { WrongUsage } from "./Failure.js"
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

/** Opened before anything else happens: a file that cannot be written is wrong usage. Readable by its owner only. */
const lineWriter = (file: string | null): Effect.Effect<(line: string) => void, WrongUsage, Scope.Scope | Screen> =>
  file === null
    ? Effect.map(
        Screen,
        ({ log }) =>
          (line) =>
            log(`${line}\n`)
      )
    : Effect.map(
        Effect.acquireRelease(
          Effect.try({
            try: () => openSync(file, "a", 0o600),
            catch: (error) =>
              new WrongUsage({ detail: Texts.unwritableLog(TerminalText.short(file, 80), codeOf(error)) })
          }),
          (descriptor) => Effect.sync(() => closeSync(descriptor))
        ),
        (descriptor) => (line) => void writeSync(descriptor, `${line}\n`)
      )

export const layer = ({ file, level }: Settings): Layer.Layer<never, WrongUsage, Screen> =>
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
