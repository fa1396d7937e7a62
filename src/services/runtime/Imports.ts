/**
 * Imports sessions from the lines of an export, in one pass and with bounded memory. Each session is hidden while it is
 * written. Once the last line has proven that all sessions are complete, one commit shows them. When anything is
 * refused, fails or is interrupted before that, what was written is removed again. If the process is killed, any engine
 * removes it, like the rest of a deletion.
 */
import { Context, Effect, Layer, Stream } from "effect"
import type { Asset } from "../../domain/Asset.js"
import type * as Export from "../../domain/Export.js"
import { QuestionId } from "../../domain/Permission.js"
import { RunId } from "../../domain/Run.js"
import { type Owner, SessionId } from "../../domain/Session.js"
import * as SkeinError from "../../domain/SkeinError.js"
import type { Arrival, Arrivals } from "../assets/Arriving.js"
import { Assets } from "../assets/Assets.js"
import { EngineConfig } from "../EngineConfig.js"
import { EventLoop } from "../EventLoop.js"
import { Hashing } from "../Hashing.js"
import { Ids } from "../Ids.js"
import { Storage, StorageReader } from "../storage/Storage.js"
import { Boundary } from "./Boundary.js"
import { Deletions } from "./Deletions.js"
import * as ImportLines from "./ImportLines.js"

/** What is to be imported, and how. */
export interface Import<E> {
  readonly content: Stream.Stream<Uint8Array, E>
  /** Whether sessions, runs and questions get new ids. */
  readonly newIds: boolean
  /**
   * The new owner; null keeps the sessions' owners. With a new owner, a parent that did not come before is left out.
   */
  readonly owner: Owner | null
  /** Whether tools that were allowed for a session stay so. */
  readonly withGrants: boolean
  /** Returns the folder that a session works in here, for its folder in the export; null for none. */
  readonly workdirFor: (workdir: string) => Effect.Effect<string | null>
}

/** A session that was imported. */
export interface ImportedSession {
  /** Its id in the export. */
  readonly from: SessionId
  readonly sessionId: SessionId
  readonly grantsLeftOut: number
}

export interface Service {
  /** Imports the sessions, and returns them in their order. */
  readonly run: <E>(input: Import<E>) => Effect.Effect<ReadonlyArray<ImportedSession>, SkeinError.Import | E>
}

export class Imports extends Context.Tag("skein/Imports")<Imports, Service>() {}

/** Most rows, and approximately the most bytes of them, that one commit adds. */
const portion = { rows: 200, bytes: 1024 * 1024 }

/** The session whose lines are coming, and the part of it that is not stored yet. */
interface OpenSession {
  readonly from: SessionId
  readonly id: SessionId
  readonly arrivals: Arrivals
  readonly runs: Map<RunId, RunId>
  rows: Array<Export.Row>
  bytes: number
  grantsLeftOut: number
  arriving: { readonly asset: Export.Asset; readonly arrival: Arrival; missing: number } | null
}

const make = Effect.gen(function* () {
  const storage = yield* Storage
  const reader = yield* StorageReader
  const assets = yield* Assets
  const boundary = yield* Boundary
  const deletions = yield* Deletions
  const hashing = yield* Hashing
  const ids = yield* Ids
  const { limits } = yield* EngineConfig
  const { turn } = yield* EventLoop

  const removeHidden = (sessionId: SessionId) => boundary.hold(sessionId)(deletions.removeHidden(sessionId))

  const run = Effect.fn("Imports.run")(function* <E>({ content, newIds, owner, withGrants, workdirFor }: Import<E>) {
    const lines = yield* ImportLines.make(hashing, limits, turn)
    const imported: Array<ImportedSession> = []
    const known = new Map<SessionId, SessionId>()
    let open: OpenSession | null = null
    let isShown = false

    const refused = <A, E, R>(effect: Effect.Effect<A, E | SkeinError.InvalidInput, R>) =>
      Effect.catchIf(
        effect,
        (error): error is Extract<typeof error, SkeinError.InvalidInput> => error instanceof SkeinError.InvalidInput,
        (error) => lines.refuse(error)
      )

    const flush = Effect.fnUntraced(function* (session: OpenSession) {
      const { id, rows } = session
      if (rows.length > 0) yield* refused(storage.importRows(id, rows))
      session.rows = []
      session.bytes = 0
      yield* turn
    })

    const begin = Effect.fnUntraced(function* (from: Export.Session) {
      const id = newIds ? SessionId.make(yield* ids.next("ses")) : from.id
      const left = (yield* reader.deleting).some(({ hidden, sessionId }) => hidden && sessionId === id)
      if (left) yield* removeHidden(id)
      const isBegun = { value: false }
      yield* Effect.addFinalizer(() =>
        isBegun.value && !isShown ? Effect.ignoreLogged(removeHidden(id)) : Effect.void
      )
      const arrivals = yield* assets.receive(id)
      const parent = from.parent === null ? null : (known.get(from.parent) ?? (owner === null ? from.parent : null))
      const workdir = from.workdir === null ? null : yield* workdirFor(from.workdir)
      yield* storage.beginImport({ ...from, id, owner: owner ?? from.owner, parent, workdir }).pipe(
        // A session whose outcome is unknown may be there.
        Effect.tapBoth({
          onSuccess: () => Effect.sync(() => void (isBegun.value = true)),
          onFailure: ({ _tag }) => Effect.sync(() => void (isBegun.value = _tag !== "SessionExists"))
        }),
        Effect.uninterruptible
      )
      known.set(from.id, id)
      return {
        from: from.id,
        id,
        arrivals,
        runs: new Map(),
        rows: [],
        bytes: 0,
        grantsLeftOut: 0,
        arriving: null
      } satisfies OpenSession
    })

    const runOf = ({ runs }: OpenSession, id: RunId): RunId => runs.get(id) ?? id

    /** Returns a row with the ids that it has here. */
    const adopted = Effect.fnUntraced(function* (session: OpenSession, row: Export.Row) {
      if (!newIds) return row
      switch (row.type) {
        case "run": {
          const id = RunId.make(yield* ids.next("run"))
          session.runs.set(row.id, id)
          return { ...row, id, resumes: row.resumes === null ? null : runOf(session, row.resumes) }
        }
        case "message":
          return { ...row, runId: row.runId === null ? null : runOf(session, row.runId) }
        case "question":
          return { ...row, id: QuestionId.make(yield* ids.next("ask")), runId: runOf(session, row.runId) }
        default:
          return row
      }
    })

    const add = Effect.fnUntraced(function* (session: OpenSession, row: Export.Row, bytes: number) {
      session.rows.push(yield* adopted(session, row))
      session.bytes += bytes
      if (session.rows.length >= portion.rows || session.bytes >= portion.bytes) yield* flush(session)
    })

    /** Places a file once it is complete, and then adds its row. */
    const placeIfWhole = Effect.fnUntraced(function* (session: OpenSession) {
      const { arriving } = session
      if (arriving === null || arriving.missing > 0) return
      session.arriving = null
      yield* refused(arriving.arrival.place)
      yield* add(session, arriving.asset, 0)
    })

    const take = Effect.fnUntraced(function* (line: Export.Line, bytes: number) {
      if (line.type === "session") {
        open = yield* begin(line)
        return
      }
      if (open === null) return
      switch (line.type) {
        case "asset": {
          const asset: Asset = { ...line, sessionId: open.id }
          open.arriving = { asset: line, arrival: yield* refused(open.arrivals.begin(asset)), missing: line.size }
          return yield* placeIfWhole(open)
        }
        case "content":
          if (open.arriving === null) return
          yield* refused(open.arriving.arrival.append(line.base64))
          open.arriving.missing -= line.base64.length
          return yield* placeIfWhole(open)
        case "session.end":
          yield* flush(open)
          imported.push({ from: open.from, sessionId: open.id, grantsLeftOut: open.grantsLeftOut })
          open = null
          return
        case "grant":
          if (withGrants) return yield* add(open, line, bytes)
          open.grantsLeftOut++
          return
        case "skein.export":
        case "skein.export.end":
          return
        default:
          return yield* add(open, line, bytes)
      }
    })

    yield* Stream.runForEach(content, (bytes) => lines.take(bytes, take))
    yield* lines.end(take)
    const all = imported.map(({ sessionId }) => sessionId)
    yield* Effect.uninterruptible(Effect.map(storage.finishImport(all), () => void (isShown = true)))
    return imported
  }, Effect.scoped)

  return { run } satisfies Service
})

export const layer = Layer.effect(Imports, make)
