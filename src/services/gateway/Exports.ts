/**
 * Sessions as the lines of an export, read as they are asked for: a page of rows at a time, or a piece of an asset.
 * Each exported transcript is one that an engine accepts: a session with a damaged transcript fails the export.
 */
import { Array as Arr, Chunk, Clock, Effect, Either, Option, Stream } from "effect"
import * as Export from "../../domain/Export.js"
import type { Asset } from "../../domain/Asset.js"
import type { SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Transcript from "../../domain/Transcript.js"
import type { Service as AssetsService } from "../assets/Assets.js"
import type * as Hashing from "../Hashing.js"
import type { ReaderService, StoredPage } from "../storage/Storage.js"
import type { ExportSessions } from "./Requests.js"

/** Sessions listed at a time. */
const page = 500

const encoder = new TextEncoder()

const kinds = {
  run: "runs",
  message: "messages",
  question: "questions",
  grant: "grants",
  "append-key": "keys",
  asset: "assets"
} as const

/** What is stored of a session: its own row first, then the rows of what belongs to it. */
type Stored = Export.Session | Export.Row

type Lines<E = SkeinError.Export> = Stream.Stream<Export.Line, E>

const join = (one: Uint8Array, other: Uint8Array): Uint8Array => {
  if (one.length === 0) return other
  const joined = new Uint8Array(one.length + other.length)
  joined.set(one)
  joined.set(other, one.length)
  return joined
}

const cut = (bytes: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(bytes.length / Export.pieceBytes) }, (_, index) =>
    bytes.subarray(index * Export.pieceBytes, (index + 1) * Export.pieceBytes)
  )

/**
 * Pieces as long as a line takes, whatever the store reads at a time: an asset gives the same lines from every store.
 */
const inPieces = <E>(content: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
  Stream.concat(content, Stream.succeed(null)).pipe(
    Stream.mapAccum(new Uint8Array(0), (rest: Uint8Array, bytes: Uint8Array | null) => {
      if (bytes === null) return [rest, cut(rest)]
      const all = join(rest, bytes)
      const whole = all.length - (all.length % Export.pieceBytes)
      return [all.subarray(whole), cut(all.subarray(0, whole))]
    }),
    Stream.mapConcat((pieces) => pieces)
  )

export const make = (reader: ReaderService, assets: AssetsService, hashing: Hashing.Service) => {
  /** All sessions, the first created first, so that a parent comes before its children. */
  const all = Effect.fnUntraced(function* (owner: ExportSessions["owner"]) {
    const ids: Array<SessionId> = []
    let next: string | null = ""
    while (next !== null) {
      const found: StoredPage = yield* reader.sessions({
        limit: page,
        ...(owner === undefined ? {} : { owner }),
        ...(next === "" ? {} : { after: next })
      })
      const [damaged] = found.damaged
      if (damaged !== undefined) return yield* damaged
      ids.push(...found.sessions.map(({ id }) => id))
      next = found.next
    }
    return ids.toReversed()
  })

  const contentOf = (sessionId: SessionId, { id }: Pick<Asset, "id">): Lines =>
    Stream.map(inPieces(assets.open({ sessionId, assetId: id })), (base64): Export.Line => ({
      type: "content",
      base64
    }))

  const misplaced = (sessionId: SessionId, seq: number, reason: string) =>
    new SkeinError.RowDamaged({ sessionId, seq, detail: `is out of place (${reason})` })

  const session = (sessionId: SessionId): Lines =>
    Stream.suspend(() => {
      const counts = { runs: 0, messages: 0, questions: 0, grants: 0, keys: 0, assets: 0 }
      let transcript = Transcript.empty(sessionId)
      const check = (row: Stored): SkeinError.RowDamaged | null => {
        if (row.type === "session") return null
        counts[kinds[row.type]]++
        if (row.type !== "message") return null
        const next = Transcript.append(transcript, row.message.value)
        if (Either.isLeft(next)) return misplaced(sessionId, row.seq, next.left.reason)
        transcript = next.right
        return null
      }
      const withContent = (row: Stored): Lines =>
        row.type === "asset" ? Stream.concat(Stream.succeed(row), contentOf(sessionId, row)) : Stream.succeed(row)
      // A stream for each row would cost many times the work on the row.
      const lines = (rows: Chunk.Chunk<Stored>): Lines =>
        Chunk.some(rows, ({ type }) => type === "asset")
          ? Stream.flatMap(Stream.fromChunk(rows), withContent)
          : Stream.fromChunk<Export.Line>(rows)
      const rows = reader.exported(sessionId).pipe(
        Stream.mapChunksEffect((rows) => {
          const [refusal] = Arr.filterMap(rows, (row) => Option.fromNullable(check(row)))
          return refusal === undefined ? Effect.succeed(rows) : refusal
        }),
        Stream.chunks,
        Stream.flatMap(lines)
      )
      const end = Effect.suspend(() =>
        Chunk.isNonEmpty(transcript.open)
          ? misplaced(sessionId, transcript.head, "calls without results")
          : Effect.succeed<Export.Line>({ type: "session.end", id: sessionId, ...counts })
      )
      return Stream.concat(rows, Stream.fromEffect(end))
    })

  /** The lines of a session that was listed; none if it is gone before the first of them. */
  const sessionIfThere = (sessionId: SessionId): Lines =>
    Stream.suspend(() => {
      let hasBegun = false
      return session(sessionId).pipe(
        Stream.mapChunks((lines) => {
          hasBegun = true
          return lines
        }),
        Stream.catchTag("SessionNotFound", (error) => (hasBegun ? Stream.fail(error) : Stream.empty))
      )
    })

  /** The sessions' lines, with the first and the last one. */
  return ({ owner, sessionIds }: ExportSessions): Stream.Stream<string, SkeinError.Export> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const sessions =
          sessionIds === undefined
            ? Stream.flatMap(Stream.fromIterable(yield* all(owner)), sessionIfThere)
            : Stream.flatMap(Stream.fromIterable(new Set(sessionIds)), session)
        const madeAt = yield* Clock.currentTimeMillis
        const digest = yield* hashing.sha256
        let count = 0
        let ended = 0
        const told = (lines: Chunk.Chunk<Export.Line>) => {
          const texts = Chunk.map(lines, Export.text)
          count += texts.length
          for (const { type } of lines) if (type === "session.end") ended++
          return Effect.as(digest.update(encoder.encode(Chunk.join(texts, ""))), texts)
        }
        const head: Export.Head = { type: "skein.export", version: Export.version, madeAt }
        const texts = Stream.concat(Stream.succeed<Export.Line>(head), sessions).pipe(Stream.mapChunksEffect(told))
        const end = Effect.map(digest.hex, (sha256) =>
          Export.text({ type: "skein.export.end", sessions: ended, lines: count, sha256 })
        )
        return Stream.concat(texts, Stream.fromEffect(end))
      })
    )
}
