/**
 * Sessions as the lines of an export, read as they are asked for: a page of rows at a time, and of an asset a piece. The
 * transcript of each is one that an engine takes: a session whose transcript is damaged fails the export.
 */
import { Chunk, Clock, Effect, Either, Ref, Stream } from "effect"
import * as Export from "../../domain/Export.js"
import type { Asset } from "../../domain/Asset.js"
import type { SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import * as Transcript from "../../domain/Transcript.js"
import type { Service as AssetsService } from "../assets/Assets.js"
import type * as Hashing from "../Hashing.js"
import type { ReaderService, StoredPage } from "../storage/Storage.js"
import type { ExportSessions } from "./Requests.js"

/** Sessions that are listed at once. */
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

/** Pieces as long as a line takes, whatever the store reads at once: the same asset is the same lines from everywhere. */
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
  /** All sessions, the first created first: so a parent comes before its children. */
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
      const rows = reader.exported(sessionId).pipe(
        Stream.mapEffect(
          Effect.fnUntraced(function* (row) {
            if (row.type === "session") return row
            counts[kinds[row.type]]++
            if (row.type !== "message") return row
            const next = Transcript.append(transcript, row.message.value)
            if (Either.isLeft(next)) return yield* misplaced(sessionId, row.seq, next.left.reason)
            transcript = next.right
            return row
          })
        ),
        Stream.flatMap((row): Lines =>
          row.type === "asset" ? Stream.concat(Stream.succeed(row), contentOf(sessionId, row)) : Stream.succeed(row)
        )
      )
      const end = Effect.suspend(() =>
        Chunk.isNonEmpty(transcript.open)
          ? misplaced(sessionId, transcript.head, "calls without results")
          : Effect.succeed<Export.Line>({ type: "session.end", id: sessionId, ...counts })
      )
      return Stream.concat(rows, Stream.fromEffect(end))
    })

  /** The sessions' lines, with the first and the last one. */
  return ({ owner, sessionIds }: ExportSessions): Stream.Stream<string, SkeinError.Export> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const ids = sessionIds === undefined ? yield* all(owner) : [...new Set(sessionIds)]
        const madeAt = yield* Clock.currentTimeMillis
        const digest = yield* hashing.sha256
        const count = yield* Ref.make(0)
        const head: Export.Head = { type: "skein.export", version: Export.version, madeAt }
        const texts = Stream.concat(
          Stream.succeed<Export.Line>(head),
          Stream.flatMap(Stream.fromIterable(ids), session)
        ).pipe(
          Stream.map(Export.text),
          Stream.tap((text) =>
            Effect.zipRight(
              digest.update(encoder.encode(text)),
              Ref.update(count, (lines) => lines + 1)
            )
          )
        )
        const end = Effect.gen(function* () {
          const totals = { sessions: ids.length, lines: yield* Ref.get(count), sha256: yield* digest.hex }
          return Export.text({ type: "skein.export.end", ...totals })
        })
        return Stream.concat(texts, Stream.fromEffect(end))
      })
    )
}
