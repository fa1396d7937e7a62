/**
 * Reads an asset. A missing or shortened file fails with a typed error, at the latest where the missing part begins. A
 * content that changed on disk fails at its end, if all of it is read. Reading a part does not detect changes.
 */
import { Effect, identity, Option, Ref, Stream } from "effect"
import type { Asset, AssetId } from "../../domain/Asset.js"
import type { SessionId } from "../../domain/Session.js"
import { AssetFailed, InvalidInput } from "../../domain/SkeinError.js"
import type { AssetNotFound, Read } from "../../domain/SkeinError.js"
import type { EngineConfig } from "../EngineConfig.js"
import type * as Hashing from "../Hashing.js"
import * as SpanEnds from "../SpanEnds.js"
import type * as Storage from "../storage/Storage.js"
import type * as AssetFiles from "./AssetFiles.js"
import * as AssetNames from "./AssetNames.js"

export interface Range {
  readonly sessionId: SessionId
  readonly assetId: AssetId
  /** Bytes to skip, at most the asset's size. Defaults to 0. */
  readonly offset?: number | undefined
  /** Bytes to read; fewer if the asset ends before. Defaults to the rest. */
  readonly length?: number | undefined
}

const wholeNumber = (field: string, value: number, limit: number): Option.Option<InvalidInput> =>
  Number.isInteger(value) && value >= 0 && value <= limit
    ? Option.none()
    : Option.some(new InvalidInput({ field, limit: `a whole number from 0 to ${limit}`, actual: `${value}` }))

export const make = (
  files: AssetFiles.Service,
  reader: Storage.ReaderService,
  hashing: Hashing.Service,
  { traceContent }: Pick<EngineConfig["Type"], "traceContent">
) => {
  const content = (
    asset: Asset,
    offset: number,
    length: number
  ): Stream.Stream<Uint8Array, AssetNotFound | AssetFailed | Read> => {
    const { id, sessionId } = asset
    const failed = (detail: string) => new AssetFailed({ sessionId, assetId: id, operation: "read", detail })
    // The row exists and the file does not: it was removed meanwhile, or is really missing.
    const explain = Effect.fnUntraced(function* (error: AssetFiles.FilesFailed) {
      if (error.missing) yield* reader.asset(sessionId, id)
      return yield* failed(error.detail)
    })
    return Stream.unwrap(
      Effect.gen(function* () {
        const came = yield* Ref.make(0)
        const digest = length === asset.size ? yield* hashing.sha256 : null
        const take = (bytes: Uint8Array) =>
          Effect.zipRight(
            digest === null ? Effect.void : digest.update(bytes),
            Ref.update(came, (count) => count + bytes.length)
          )
        const check = Effect.gen(function* () {
          if ((yield* Ref.get(came)) < length) return yield* failed("the file is cut short")
          if (digest !== null && (yield* digest.hex) !== asset.sha256) return yield* failed("the content was changed")
        })
        return files
          .read({ folder: AssetNames.folder(sessionId), file: AssetNames.file(asset) }, { offset, length })
          .pipe(
            Stream.tap(take),
            Stream.catchAll((error) => Stream.fromEffect(explain(error))),
            Stream.concat(Stream.execute(check))
          )
      })
    )
  }

  const open = (range: Range) =>
    Effect.gen(function* () {
      const asset = yield* reader.asset(range.sessionId, range.assetId)
      const { length = asset.size, offset = 0 } = range
      const refusal = Option.orElse(wholeNumber("offset", offset, asset.size), () =>
        wholeNumber("length", length, Number.MAX_SAFE_INTEGER)
      )
      if (Option.isSome(refusal)) return yield* refusal.value
      return content(asset, offset, Math.min(length, asset.size - offset))
    }).pipe(traceContent ? identity : SpanEnds.own, Stream.unwrap, Stream.withSpan("Assets.open"))

  const bytes = Effect.fn("Assets.bytes")(function* (sessionId: SessionId, assetId: AssetId, most?: number) {
    const asset = yield* reader.asset(sessionId, assetId)
    const length = Math.min(asset.size, most ?? Infinity)
    const bytes = new Uint8Array(length)
    yield* Stream.runFoldEffect(content(asset, 0, length), 0, (at, part) =>
      Effect.sync(() => {
        bytes.set(part, at)
        return at + part.length
      })
    )
    return bytes
  })

  return { open, bytes }
}
