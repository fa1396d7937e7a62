/**
 * What a run knows about its session's transcript: the end of it, as far as the run itself and a view need it. The end
 * is read backwards, once, when the first view is made. From then on the view grows by what the run adds, and the
 * entries are not kept. If the view is asked for differently (another model, a corrected request, an asset that is
 * gone), the end is read again.
 */
import { Array as Arr, Data, Effect, Equal, Number } from "effect"
import type { AssetId } from "../../domain/Asset.js"
import * as GrowingView from "../../domain/GrowingView.js"
import { type Entry, filesOf } from "../../domain/Message.js"
import type { RunId } from "../../domain/Run.js"
import { Seq, type Session, type SessionId } from "../../domain/Session.js"
import type { Read, SessionNotFound } from "../../domain/SkeinError.js"
import * as TranscriptEnd from "../../domain/TranscriptEnd.js"
import type * as View from "../../domain/View.js"
import * as ViewPiece from "../../domain/ViewPiece.js"
import * as Pulled from "../Pulled.js"
import { StorageReader } from "../storage/Storage.js"
import { inPieces, Stretch } from "../Stretch.js"

/** How the view is asked for; what is known about assets is found here. */
export type Options = Omit<View.Options, "missingAssets" | "assetSizes">

export interface RunTranscript {
  /** The last place; null while there is none. */
  readonly head: () => Seq | null
  /** The place before the last message of a user; null for none. */
  readonly beforeQuestion: () => Seq | null
  /** Adds what the run has appended. */
  readonly append: (entries: ReadonlyArray<Entry>) => void
  readonly view: (options: Options) => Effect.Effect<View.View, SessionNotFound | Read>
}

/** Entries read at a time, at least and at most. */
const portion = { least: 50, most: 500 }

/** Entries that are made into pieces of a view at a time, and how often that is done in one stretch. */
const madeAtOnce = 32
const madeInStretch = 8

const assetsOf = ({ message }: Entry): ReadonlyArray<AssetId> => filesOf(message).map(({ assetId }) => assetId)

const isUsers = ({ message }: Entry): boolean => message.role === "user"

const placeOf = (place: number): Seq | null => (place > 0 ? Seq.make(place) : null)

interface Kept {
  readonly asked: Options
  readonly missing: ReadonlySet<AssetId>
  readonly view: GrowingView.GrowingView
  /** The assets that the entries of the view name. */
  readonly named: Set<AssetId>
}

export const make = Effect.gen(function* () {
  const reader = yield* StorageReader
  const stretch = yield* Stretch
  const nextPieces = stretch.oneOf(madeInStretch)

  /** Reads places `from` to `to`. Often their entries were committed in the same stretch. */
  const read = (sessionId: SessionId, from: number, to: number) =>
    stretch.breathe().pipe(Effect.zipRight(Pulled.all(reader.transcript({ sessionId, from, to }))))

  /** Reads the end of a transcript: everything that a run wrote, and the message that it goes on from. */
  const tailOf = Effect.fnUntraced(function* ({ head, id }: Session, runId: RunId) {
    let tail: ReadonlyArray<Entry> = []
    for (let size = portion.least; ; size = Math.min(size * 2, portion.most)) {
      const to = head - tail.length
      if (to <= 0) return tail
      tail = [...(yield* read(id, Math.max(1, to - size + 1), to)), ...tail]
      const isOlder = tail[0] !== undefined && tail[0].runId !== runId
      if (isOlder && tail.some(({ message }) => message.role !== "tool")) return tail
      yield* stretch.turn
    }
  })

  /** Makes pieces in advance, a few at a time: the code that puts them together needs all of them without a break. */
  const makePieces = (entries: ReadonlyArray<Entry>, options: ViewPiece.Options) =>
    Effect.forEach(
      Arr.chunksOf(entries, madeAtOnce),
      (some) =>
        Effect.zipRight(
          nextPieces,
          Effect.sync(() => ViewPiece.piecesOf(some, options))
        ),
      { discard: true }
    )

  /**
   * Returns the transcript as the run finds it, and its end: everything that the run wrote, and what it goes on from.
   */
  const open = Effect.fnUntraced(function* (session: Session, runId: RunId) {
    const sessionId = session.id
    const tail = yield* tailOf(session, runId)
    let head: number = session.head
    let question: number = tail.findLast(isUsers)?.seq ?? 0
    /** Entries that are not in a view yet: the end of the transcript. */
    let fresh: Array<Entry> = [...tail]
    let kept: Kept | null = null
    const assetSizes = new Map<AssetId, number>()

    const missingOf = Effect.fnUntraced(function* (named: ReadonlySet<AssetId>) {
      if (named.size === 0) return new Set<AssetId>()
      const assets = yield* reader.assets(sessionId)
      assetSizes.clear()
      for (const { id, size } of assets) assetSizes.set(id, size)
      return new Set([...named].filter((id) => !assetSizes.has(id)))
    })

    /** Returns entries before place `before`: those that are here already, or at most `size` of them. */
    const pageBefore = (before: number, size: number) => {
      if (before === head + 1 && fresh.length > 0 && kept === null) return Effect.succeed<ReadonlyArray<Entry>>(fresh)
      return before === 1 ? Effect.succeed([]) : read(sessionId, Math.max(1, before - size), before - 1)
    }

    const anew = Effect.fnUntraced(function* (asked: Options) {
      const named = new Set<AssetId>()
      let missing: ReadonlySet<AssetId> = new Set()
      let known: ViewPiece.Known = new WeakMap()
      let end = TranscriptEnd.nothing
      let first = head + 1
      let size = portion.least
      while (true) {
        const page = yield* pageBefore(first, size)
        const before = named.size
        page.flatMap(assetsOf).forEach((id) => named.add(id))
        if (named.size > before) {
          missing = yield* missingOf(named)
          known = new WeakMap()
        }
        const options = { ...asked, missingAssets: missing, assetSizes, known }
        yield* makePieces(page, options)
        first = page[0]?.seq ?? 1
        end = TranscriptEnd.prepend(end, page, first === 1, options)
        question = Math.max(question, page.findLast(isUsers)?.seq ?? 0)
        const turns = TranscriptEnd.startOf(end, options)
        if (turns !== null) {
          const view = yield* inPieces(GrowingView.making({ turns, beginning: 1 }, options), nextPieces)
          return { asked: Data.struct(asked), missing, named, view } satisfies Kept
        }
        // The length of the last turn is not known yet.
        const more = end.turns.length === 0 ? size * 2 : TranscriptEnd.missing(end, options) || 0
        size = Number.clamp(more, { minimum: portion.least, maximum: portion.most })
        yield* stretch.turn
      }
    })

    const grown = Effect.fnUntraced(function* (asked: Options) {
      if (kept === null) return null
      if (!Equal.equals(kept.asked, Data.struct(asked))) return null
      for (const id of fresh.flatMap(assetsOf)) kept.named.add(id)
      const missing = yield* missingOf(kept.named)
      if (missing.size !== kept.missing.size || [...missing].some((id) => kept?.missing.has(id) !== true)) return null
      return kept.view.add(fresh) ? kept : null
    })

    const transcript: RunTranscript = {
      head: () => placeOf(head),
      beforeQuestion: () => placeOf(question - 1),
      append: (entries) => {
        fresh.push(...entries)
        head = entries.at(-1)?.seq ?? head
      },
      view: Effect.fnUntraced(function* (options) {
        kept = (yield* grown(options)) ?? (yield* anew(options))
        fresh = []
        return kept.view.view()
      })
    }
    return { tail, transcript }
  })

  return { open }
})
