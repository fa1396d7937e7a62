/**
 * Reads the lines of an export. How much is in a line is counted before it is parsed; then it is decoded, compared with
 * the limits and checked in its position before anybody acts on it. The last line is checked against all bytes before
 * it. Errors name their line. The work on a long line lets others have their turn in between.
 */
import { Effect, Either, Schema } from "effect"
import * as Export from "../../domain/Export.js"
import * as ExportCheck from "../../domain/ExportCheck.js"
import * as JsonBounds from "../../domain/JsonBounds.js"
import * as Limits from "../../domain/Limits.js"
import * as Lines from "../../domain/Lines.js"
import * as Refusal from "../../domain/Refusal.js"
import { ImportRefused, InvalidInput } from "../../domain/SkeinError.js"
import { Workdir } from "../../domain/Workdir.js"
import { afterText, type Turn } from "../EventLoop.js"
import type * as Hashing from "../Hashing.js"

/** What a line may have besides a message, such as how its call is shown. */
const besideBytes = 4 * 1024 * 1024

/** Values that a line may have besides those of a message, such as those of a question and its answer. */
const besideValues = 32 * 1024

/** Most bytes of a value that is stored as JSON in its own column: an answer, a display, a model. */
const keptBytes = 1024 * 1024

const decode = Refusal.decoder(Export.Line, undefined, "ignore")

const utf8 = new TextDecoder("utf-8", { fatal: true })

const isWorkdir = Schema.is(Workdir)

const relative = new InvalidInput({ field: "workdir", limit: "an absolute path", actual: "another text" })

/** What was refused, without the path of the value. */
const detailOf = ({ actual, limit }: InvalidInput): string => `${limit} (given: ${actual})`

const valueOf = (bytes: Uint8Array, bounds: JsonBounds.JsonBounds): Either.Either<unknown, string> => {
  const excess = JsonBounds.comparing(bounds).take(bytes)
  if (excess !== null) return Either.left(excess)
  return Either.try({ try: () => utf8.decode(bytes), catch: () => "not UTF-8 text" }).pipe(
    Either.flatMap((text) => Either.try({ try: (): unknown => JSON.parse(text), catch: () => "not JSON" }))
  )
}

/** Refuses what is larger than this engine stores, or is nested too deeply to be stored. */
const bounded = (line: Export.Line, limits: Limits.Limits): Either.Either<unknown, InvalidInput> => {
  const json = (field: string, value: unknown, most: number) =>
    value === null ? Either.right("") : Limits.json(field, value, most)
  const kept = (field: string, value: Export.Kept<unknown> | null) => json(field, value?.stored ?? null, keptBytes)
  switch (line.type) {
    case "session":
      if (line.workdir !== null && !isWorkdir(line.workdir)) return Either.left(relative)
      return Either.all([json("metadata", line.metadata, limits.metadataBytes), kept("model", line.model)])
    case "run":
      return Either.all([
        json("metadata", line.metadata, limits.metadataBytes),
        json("output", line.output, limits.metadataBytes)
      ])
    case "message":
      return Either.all([
        Limits.message("message", line.message.stored, limits.messageBytes),
        kept("display", line.display)
      ])
    case "question":
      return Either.all([
        json("input", line.input, limits.messageBytes),
        kept("answer", line.answer),
        kept("display", line.display)
      ])
    default:
      return Either.void
  }
}

interface ImportLines {
  /** Runs `each` on the lines that these bytes complete, each line checked, with its number of bytes. */
  readonly take: <E, R>(
    bytes: Uint8Array,
    each: (line: Export.Line, bytes: number) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | ImportRefused, R>
  /** Takes the end of the file. Fails unless the export is complete. */
  readonly end: <E, R>(
    each: (line: Export.Line, bytes: number) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | ImportRefused, R>
  /** A refusal of the line that was taken last. */
  readonly refuse: (error: InvalidInput) => ImportRefused
}

const lineEnd = new Uint8Array([10])

export const make = Effect.fnUntraced(function* (hashing: Hashing.Service, limits: Limits.Limits, turn: Turn) {
  const check = ExportCheck.make(Export.version)
  const lines = Lines.make(limits.messageBytes + besideBytes)
  const digest = yield* hashing.sha256
  /** Two pieces of metadata have at most a value for every two bytes. */
  const bounds = { values: JsonBounds.messageValues + Math.max(besideValues, limits.metadataBytes), depth: Infinity }
  let number = 0

  const refusal = (field: string, detail: string) => new ImportRefused({ line: number, field, detail })
  const refuse = (error: InvalidInput) => refusal(error.field, detailOf(error))

  const read = Effect.fnUntraced(function* (bytes: Uint8Array) {
    number++
    const value = yield* Either.mapLeft(valueOf(bytes, bounds), (detail) => refusal("", detail))
    yield* afterText(turn, bytes)
    const line = yield* Either.mapLeft(decode(value), refuse)
    yield* afterText(turn, bytes)
    yield* Either.mapLeft(bounded(line, limits), refuse)
    yield* afterText(turn, bytes)
    const wrong = check.take(line)
    if (wrong !== null) return yield* refusal(wrong.field, wrong.detail)
    if (line.type === "skein.export.end") {
      if ((yield* digest.hex) !== line.sha256) return yield* refusal("sha256", "the lines before it were changed")
      return line
    }
    yield* digest.update(bytes)
    yield* digest.update(lineEnd)
    return line
  })

  return {
    take: (bytes, each) =>
      Effect.gen(function* () {
        const cut = lines.take(bytes)
        for (const line of cut.lines) yield* each(yield* read(line), line.length)
        if (!cut.isTooLong) return
        number++
        return yield* refusal("", `longer than ${limits.messageBytes + besideBytes} bytes`)
      }),
    end: (each) =>
      Effect.gen(function* () {
        const rest = lines.rest()
        if (rest !== null) yield* each(yield* read(rest), rest.length)
        if (check.isDone()) return
        number++
        return yield* refusal("", number === 1 ? "the file is empty" : "the file is cut off here")
      }),
    refuse
  } satisfies ImportLines
})
