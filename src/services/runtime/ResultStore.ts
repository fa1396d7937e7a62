/**
 * Stores what a call's handler returned as its one result. A text over the limit is cut, and kept whole as an asset; when
 * the asset cannot be kept, the cut text says how much is missing.
 */
import { Effect, Option, Stream } from "effect"
import { Checked } from "../../domain/Checked.js"
import type { ResultMessage } from "../../domain/Message.js"
import * as ResultText from "../../domain/ResultText.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import { Storage } from "../storage/Storage.js"
import { type CallRun, idsOf } from "./CallRun.js"
import type * as HandlerResult from "./HandlerResult.js"

export const make = Effect.gen(function* () {
  const storage = yield* Storage
  const assets = yield* Assets
  const { limits, traceContent } = yield* EngineConfig

  const storeMessage = ({ call, context }: CallRun, message: ResultMessage) =>
    Effect.flatMap(Checked.message(message, limits, "result"), (checked) =>
      storage.storeResult(context.lease, call.seq, checked)
    )

  /** Returns the stored result, which is another one when that was first. */
  const store = Effect.fn("ResultStore.store")(function* (one: CallRun, result: HandlerResult.HandlerResult) {
    const { context, part } = one
    const { outcome } = result
    yield* Effect.annotateCurrentSpan({ ...idsOf(one), outcome, ...(traceContent ? { text: result.text } : {}) })
    const { missing, text } = ResultText.bound(result.text, limits.resultCharacters)
    const message: ResultMessage = { role: "tool", callId: part.callId, name: part.name, outcome, text }
    if (missing === 0) return yield* storeMessage(one, message)
    const asset = yield* assets
      .save({
        sessionId: context.session.id,
        name: `${part.name}.txt`,
        mediaType: "text/plain",
        content: Stream.encodeText(Stream.make(result.text))
      })
      .pipe(Effect.option)
    return yield* storeMessage(
      one,
      Option.match(asset, {
        onNone: () => message,
        onSome: ({ id }) => ({ ...message, text: ResultText.withAsset(text, id), assetId: id })
      })
    )
  })

  return { store }
})
