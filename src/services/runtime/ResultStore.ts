/**
 * Stores what a call's handler returned as its one result. A text over the limit is cut, and kept whole as an asset;
 * when the asset cannot be kept, the cut text says how much is missing.
 *
 * Its files are kept as assets before the result is stored. A file, a value or a diff that cannot be kept is named in
 * the text with the reason; nothing else is lost.
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

const withNotes = (text: string, notes: ReadonlyArray<string>): string =>
  [...(text === "" && notes.length > 0 ? [] : [text]), ...notes].join("\n")

const tooLarge = "[The result's JSON and diffs were left out: the message would be too large.]"

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const assets = yield* Assets
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

  /** The text, bounded; if it was cut, the whole text is kept as an asset. */
  const textOf = (
    { context, part }: CallRun,
    whole: string
  ): Effect.Effect<{ readonly text: string; readonly assetId?: AssetId }> => {
    const { missing, text } = ResultText.bound(whole, limits.resultCharacters)
    if (missing === 0) return Effect.succeed({ text })
    const saved = assets.save({
      sessionId: context.session.id,
      name: `${part.name}.txt`,
      mediaType: "text/plain",
      content: Stream.encodeText(Stream.make(whole))
    })
    return Effect.match(saved, {
      onFailure: () => ({ text }),
      onSuccess: ({ id }) => ({ text: ResultText.withAsset(text, id), assetId: id })
    })
  }

  /** The file's part, or a note on why there is none. */
  const keepFile = ({ context }: CallRun, { content, mediaType, name }: ResultFile): Effect.Effect<FilePart | string> =>
    assets.save({ sessionId: context.session.id, name, mediaType, content: Stream.make(content) }).pipe(
      Effect.map((asset): FilePart => ({ type: "file", assetId: asset.id, mediaType: asset.mediaType, name })),
      Effect.catchAll((error) =>
        Effect.succeed(`[The file ${ResultParts.quoted(name)} was not kept: ${error.message}.]`)
      )
    )

  const keep = Effect.fnUntraced(function* (one: CallRun, { outcome, output }: HandlerResult.HandlerResult) {
    const { files = [] } = output
    const { text, ...whole } = yield* textOf(one, output.text)
    const kept = ResultParts.keep(output, limits)
    const saved =
      files.length === 0
        ? []
        : yield* Effect.forEach(files.slice(0, ResultParts.mostFiles), (file) => keepFile(one, file))
    const parts = [...saved.filter((file) => typeof file !== "string"), ...kept.parts]
    const notes = [
      ...saved.filter((file) => typeof file === "string"),
      ...(files.length > ResultParts.mostFiles ? [ResultParts.tooMany("files", ResultParts.mostFiles)] : []),
      ...kept.notes
    ]
    return yield* storeMessage(one, {
      role: "tool",
      callId: one.part.callId,
      name: one.part.name,
      outcome,
      text: withNotes(text, notes),
      ...whole,
      ...(parts.length === 0 ? {} : { parts })
    })
  })

  /** Returns the stored result, which is another result if that was stored first. */
  const store = (one: CallRun, result: HandlerResult.HandlerResult) => {
    const { outcome, output } = result
    return Effect.withSpan(keep(one, result), "ResultStore.store", {
      attributes: { ...idsOf(one), outcome, ...(traceContent ? { text: output.text } : {}) },
      captureStackTrace: false
    })
  }

  return { store }
})
