/**
 * Whether each asset has its content, byte for byte, and each file its asset. What belongs to nothing is moved aside,
 * never removed; only content of a save that its dead engine did not finish goes, as it would with the next engine.
 */
import { Effect, Either, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import { closeSync, openSync, readdirSync, readSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { Asset } from "../../../domain/Asset.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import * as EngineInName from "../../../services/EngineInName.js"
import { Engines } from "../../../services/Engines.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import { codeOf } from "../../ErrorCode.js"
import { beyondRepair, damage, type Finding, note, type Repair } from "./Finding.js"
import { type Subject, tellAnew } from "./Subject.js"

interface Row {
  readonly ordinal: number
  readonly id: string
}

const rowsOf = (query: Query, sessionId: string) =>
  query<Row>(
    "look at the assets",
    `SELECT assets.ordinal, assets.id, session_rows.id AS sessionId, name, media_type AS mediaType, size, sha256,
       assets.created_at AS createdAt
     FROM session_rows JOIN assets ON assets.session = session_rows.ordinal
     WHERE session_rows.id = ? AND session_rows.state <> 'hidden' ORDER BY assets.ordinal`,
    sessionId
  )

const decodeAsset = Schema.decodeUnknownEither(Asset)

const pieceBytes = 1024 * 1024

/** Gives signals and timers their turn between two pieces. */
const pause = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

const digestOf = (path: string): Effect.Effect<string, unknown> =>
  Effect.acquireUseRelease(
    Effect.try({ try: () => openSync(path, "r"), catch: (thrown) => thrown }),
    (descriptor) =>
      Effect.gen(function* () {
        const digest = createHash("sha256")
        const buffer = Buffer.alloc(pieceBytes)
        while (true) {
          const count = yield* Effect.try({ try: () => readSync(descriptor, buffer), catch: (thrown) => thrown })
          if (count === 0) return digest.digest("hex")
          digest.update(buffer.subarray(0, count))
          yield* pause
        }
      }),
    (descriptor) => Effect.sync(() => closeSync(descriptor))
  )

type State = "whole" | "missing" | "changed" | "unreadable"

const stateOf = (path: string, { sha256, size }: Asset): Effect.Effect<State> =>
  Effect.try({ try: () => statSync(path).size === size, catch: (thrown) => thrown }).pipe(
    Effect.flatMap((isOfSize) => (isOfSize ? digestOf(path) : Effect.succeed(""))),
    Effect.map((digest): State => (digest === sha256 ? "whole" : "changed")),
    Effect.catchAll((thrown) => Effect.succeed<State>(codeOf(thrown) === "ENOENT" ? "missing" : "unreadable"))
  )

/** Takes a row out of the table, and what has its file's name too. */
const dropAsset =
  ({ id, ordinal }: Pick<Subject, "id" | "ordinal">, row: Row, path: string | null): Repair =>
  (means) => {
    const { aside, connection } = means
    const stored = connection.prepare<[number], object>("SELECT * FROM assets WHERE ordinal = ?").get(row.ordinal)
    const kept = [aside.keep(`${id}-asset-${row.id}`, stored), ...(path === null ? [] : [aside.move(path)])]
    connection
      .transaction(() => {
        connection.prepare("DELETE FROM assets WHERE ordinal = ?").run(row.ordinal)
        tellAnew(means, ordinal)
      })
      .immediate()
    return `moved to ${kept.join(" and ")}`
  }

/** Looks at all assets of a session. */
export const checkRows = (data: string, subject: Subject): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    for (const row of yield* rowsOf(subject.query, subject.id)) {
      const where = `session ${subject.id}, asset ${row.id}`
      const asset = decodeAsset(row)
      if (Either.isLeft(asset)) {
        const remedy = "the asset counts as deleted, and what is stored of it is moved aside"
        findings.push(damage(where, "the asset does not decode", remedy, dropAsset(subject, row, null)))
        continue
      }
      const path = join(data, "assets", AssetNames.folder(subject.id), AssetNames.file(asset.right))
      const state = yield* stateOf(path, asset.right)
      if (state === "missing") {
        const remedy = "the asset counts as deleted, and its row is moved aside"
        findings.push(damage(where, `its file is missing: ${path}`, remedy, dropAsset(subject, row, null)))
      }
      if (state === "changed") {
        const remedy = "the asset counts as deleted; its file and its row are moved aside"
        findings.push(damage(where, `its file is not what was saved: ${path}`, remedy, dropAsset(subject, row, path)))
      }
      if (state === "unreadable") {
        findings.push(beyondRepair(where, `its file cannot be read: ${path}`, "look at the permissions and the disk"))
      }
    }
    return findings
  })

const names = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const moveAside =
  (path: string): Repair =>
  ({ aside }) =>
    `moved to ${aside.move(path)}`

const stray = (path: string, what: string): Finding => damage(path, what, "it is moved aside", moveAside(path))

/** Looks at one session's folder. As in the sweep: first the files, then the markers, then the rows. */
const checkFolder = (query: Query, folder: string, sessionId: string) =>
  Effect.gen(function* () {
    const engines = yield* Engines
    const entries = names(folder)
    const markers = names(folder).filter(AssetNames.isMarker)
    const findings: Array<Finding> = []
    let isInUse = false
    for (const marker of markers) {
      const path = join(folder, marker)
      const engine = EngineInName.engineOf(marker)
      const liveness = Option.isNone(engine) ? "unknown" : yield* engines.liveness(engine.value)
      if (liveness !== "dead") isInUse = true
      else {
        const remedy = "it is removed, as the next engine would"
        findings.push(
          damage(path, "a save that its dead process did not finish", remedy, () => {
            rmSync(path, { recursive: true, force: true })
            return "removed"
          })
        )
      }
    }
    if (isInUse) return [...findings, note(folder, "a save is going on", "look again when it is over")]
    const wanted = new Set(
      (yield* rowsOf(query, sessionId)).flatMap((row) =>
        Either.match(decodeAsset(row), { onLeft: () => [], onRight: (asset) => [AssetNames.file(asset)] })
      )
    )
    for (const name of entries.filter((name) => !AssetNames.isMarker(name) && !wanted.has(name))) {
      const what = AssetNames.isFile(name) ? "a file that belongs to no asset" : "nothing that Skein put there"
      findings.push(stray(join(folder, name), what))
    }
    return findings
  })

/** Looks at all files in the folder of assets. */
export const checkFiles = (data: string, query: Query): Effect.Effect<ReadonlyArray<Finding>, StorageFailed, Engines> =>
  Effect.gen(function* () {
    const root = join(data, "assets")
    const findings: Array<Finding> = []
    for (const name of names(root)) {
      const sessionId = AssetNames.sessionOf(name)
      if (Option.isNone(sessionId)) findings.push(stray(join(root, name), "nothing that Skein put there"))
      else findings.push(...(yield* checkFolder(query, join(root, name), sessionId.value)))
    }
    return findings
  })
