/**
 * Stores what a call's handler returned as its one result. A text over the limit is cut, and kept whole as an asset;
 * when the asset cannot be kept, the cut text says how much is missing.
 *
 * Its files are kept as assets before the result is stored. A file, a value or a diff that cannot be kept is named in
 * the text with the reason; nothing else is lost. A run that is stopped meanwhile does not wait long for its files.
 */
import { Effect, Either, Stream } from "effect"
import type { AssetId } from "../../domain/Asset.js"
import { Checked } from "../../domain/Checked.js"
import { type FilePart, isFile, type ResultMessage } from "../../domain/Message.js"
import * as ResultParts from "../../domain/ResultParts.js"
import * as ResultText from "../../domain/ResultText.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import { Storage } from "../storage/Storage.js"
import type { ResultFile } from "../ToolResult.js"
import { type CallRun, idsOf } from "./CallRun.js"
import type * as HandlerResult from "./HandlerResult.js"
import { HostFibers } from "./HostFibers.js"

const withNotes = (text: string, notes: ReadonlyArray<string>): string =>
  [...(text === "" && notes.length > 0 ? [] : [text]), ...notes].join("\n")

const tooLarge = "[The result's JSON and diffs were left out: the message would be too large.]"

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const assets = yield* Assets
  const fibers = yield* HostFibers
  const { limits, traceContent } = yield* EngineConfig

  const checked = (message: ResultMessage) => Checked.message(message, limits, "result")

  const storeMessage = ({ call, context }: CallRun, message: ResultMessage) => {
    const { parts = [], text } = message
    const smaller = { ...message, parts: parts.filter(isFile), text: withNotes(text, [tooLarge]) }
    return checked(message).pipe(
      Either.orElse((refusal) => (parts.every(isFile) ? Either.left(refusal) : checked(smaller))),
      Effect.flatMap((checked) => storage.storeResult(context.lease, call.seq, checked))
    )
  }

  /** The asset of a whole text; null if it cannot be kept. */
  const keepText = ({ context, part }: CallRun, whole: string): Effect.Effect<AssetId | null> =>
    assets
      .save({
        sessionId: context.session.id,
        name: `${part.name}.txt`,
        mediaType: "text/plain",
        content: Stream.encodeText(Stream.make(whole))
      })
      .pipe(Effect.match({ onFailure: () => null, onSuccess: ({ id }) => id }))

  /** The file's part, or a note on why there is none. */
  const keepFile = ({ context }: CallRun, { content, mediaType, name }: ResultFile): Effect.Effect<FilePart | string> =>
    assets.save({ sessionId: context.session.id, name, mediaType, content: Stream.make(content) }).pipe(
      Effect.map((asset): FilePart => ({ type: "file", assetId: asset.id, mediaType: asset.mediaType, name })),
      Effect.catchAll((error) => Effect.succeed(ResultParts.notKept(name, error.message)))
    )

  /** Keeps the whole text, if it was cut, and the files. What is not saved in time is not kept. */
  const keepAssets = Effect.fnUntraced(function* (
    one: CallRun,
    whole: string | null,
    files: ReadonlyArray<ResultFile>
  ) {
    let text: AssetId | null = null
    const kept: Array<FilePart | string> = []
    const saving = Effect.gen(function* () {
      if (whole !== null) text = yield* keepText(one, whole)
      for (const file of files) kept.push(yield* keepFile(one, file))
    })
    if (whole !== null || files.length > 0) yield* fibers.completing(saving)
    const late = files
      .slice(kept.length)
      .map(({ name }) => ResultParts.notKept(name, "the run was stopped before it was saved"))
    return { text, files: [...kept, ...late] }
  })

  const keep = Effect.fnUntraced(function* (
    one: CallRun,
    { outcome, output }: HandlerResult.HandlerResult,
    own: ReadonlyArray<string>
  ) {
    const { files = [] } = output
    const { missing, text } = ResultText.bound(output.text, limits.resultCharacters)
    const kept = ResultParts.keep(output, limits)
    const whole = missing === 0 ? null : output.text
    const saved = yield* keepAssets(one, whole, files.slice(0, ResultParts.mostFiles))
    const parts = [...saved.files.filter((file) => typeof file !== "string"), ...kept.parts]
    const notes = [
      ...own,
      ...saved.files.filter((file) => typeof file === "string"),
      ...(files.length > ResultParts.mostFiles ? [ResultParts.tooMany("files", ResultParts.mostFiles)] : []),
      ...kept.notes
    ]
    return yield* storeMessage(one, {
      role: "tool",
      callId: one.part.callId,
      name: one.part.name,
      outcome,
      text: withNotes(saved.text === null ? text : ResultText.withAsset(text, saved.text), notes),
      ...(saved.text === null ? {} : { assetId: saved.text }),
      ...(parts.length === 0 ? {} : { parts })
    })
  })

  /** Returns the stored result, which is another result if that was stored first. `notes` end its text. */
  const store = (one: CallRun, result: HandlerResult.HandlerResult, notes: ReadonlyArray<string> = []) => {
    const { outcome, output } = result
    return Effect.withSpan(keep(one, result, notes), "ResultStore.store", {
      attributes: { ...idsOf(one), outcome, ...(traceContent ? { text: output.text } : {}) },
      captureStackTrace: false
    })
  }

  return { store }
})
