/** Checks that each asset has its content, byte for byte, and that each file belongs to an asset. */
import { Array as Arr, Effect, Either, Option } from "effect"
import { createHash } from "node:crypto"
import { createReadStream, existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import type { Asset } from "../../../domain/Asset.js"
import type { SessionId } from "../../../domain/Session.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import * as EngineInName from "../../../services/EngineInName.js"
import { Engines } from "../../../services/Engines.js"
import { assets, sessionRows } from "../../../services/storage/sql/Tables.js"
import { codeOf } from "../../ErrorCode.js"
import * as AssetFile from "./AssetFile.js"
import * as Change from "../../../services/storage/sql/doctor/Change.js"
import type { OpenDatabase } from "./Connection.js"
import type { Files } from "../../../services/storage/sql/doctor/Database.js"
import { assetsOf } from "../../../services/storage/sql/doctor/SessionCheck.js"
import type { Query } from "../../../services/storage/sql/Query.js"
import { type Finding, make, type SessionKey } from "../../../services/storage/sql/doctor/Finding.js"
import * as Judging from "../../../services/storage/sql/doctor/Judging.js"
import * as Rows from "../../../services/storage/sql/doctor/Rows.js"

type AssetRow = Rows.RowOf<typeof assets>

/** The size and digest of a file. Fails with the system's code. */
const contentOf = (path: string): Effect.Effect<Pick<Asset, "size" | "sha256">, string> =>
  Effect.tryPromise({
    try: async (signal) => {
      const { size } = statSync(path)
      const digest = createHash("sha256").setEncoding("hex")
      await pipeline(createReadStream(path), digest, { signal })
      return { size, sha256: String(digest.read()) }
    },
    catch: codeOf
  })

/** The rows of a session's assets; none when the session is deleted or hidden. */
const rowsOf = (query: Query, ordinal: number): Effect.Effect<ReadonlyArray<AssetRow>, StorageFailed> =>
  Effect.flatMap(Rows.at(query, sessionRows, { ordinal }), (session) =>
    session === undefined || session.state === "hidden"
      ? Effect.succeed([])
      : Rows.all(query, assets, [ordinal, ordinal])
  )

/**
 * Whether no session has a file here: a disk is not mounted, or the assets are in a bucket. No row is removed in that
 * case, because its content may be intact.
 */
const areElsewhere = (data: string): boolean => AssetFile.namesIn(AssetFile.rootOf(data)).length === 0

/** Checks the file of an asset. If only its row is wrong, the row is corrected from the file. */
const checkFile = ({ data, query }: OpenDatabase, session: SessionKey, asset: Asset) =>
  Effect.gen(function* () {
    const path = join(AssetFile.folderOf(data, session.id), AssetNames.file(asset))
    const content = yield* Effect.either(contentOf(path))
    const size = Either.isRight(content) && content.right.sha256 === asset.sha256 ? content.right.size : null
    if (size === asset.size) return []
    // A deletion removes the row, or hides the session, before it removes the file.
    const rows = yield* rowsOf(query, session.ordinal)
    const row = rows.find(({ id }) => id === asset.id)
    if (row === undefined) return []
    const isMissing = Either.isLeft(content) && content.left === "ENOENT"
    const told = isMissing ? AssetFile.filesIn(data).told(session.id, row, rows) : size === null ? {} : { size }
    const damage = Judging.differing("is not what its file says at", row, told)
    if (damage !== null) return Judging.report({ session }, assets, row, damage)
    const ids = { session, asset: asset.id, path }
    return Either.isLeft(content) && (!isMissing || areElsewhere(data))
      ? [make("asset-unreadable", ids)]
      : [make("asset-lost", { ...ids, isMissing }, [Change.loss(Change.remove(assets, row))])]
  })

/** Checks the files of a session's assets. */
export const checkFilesOf =
  (database: OpenDatabase): Files["check"] =>
  (session, known) =>
    Effect.map(
      Effect.forEach(known, (asset) => checkFile(database, session, asset)),
      Arr.flatten
    )

/** The assets that a session's events say were saved and deleted, and the time of the oldest event that is left. */
const told = Effect.fnUntraced(function* (query: Query, session: number) {
  const events = yield* query<{ readonly type: string; readonly ref: string }>(
    "read the assets' events",
    "SELECT type, ref FROM event_rows WHERE session = ? AND type IN ('asset.saved', 'asset.deleted')",
    session
  )
  const refs = (type: string) => new Set(events.filter((event) => event.type === type).map(({ ref }) => ref))
  const [oldest] = yield* query<{ readonly at: number | null }>(
    "read the oldest event",
    "SELECT min(at) AS at FROM event_rows WHERE session = ?",
    session
  )
  return { saved: refs("asset.saved"), deleted: refs("asset.deleted"), since: oldest?.at ?? Infinity }
})

type Origin = "asset" | "save" | "deletion" | "unknown"

/**
 * Where a file comes from: an asset, or a save or deletion that a dead process left unfinished. A row is stored together
 * with its event, so a file that no event mentions never had a row. A deletion removes the files before it removes the
 * session's row, so files whose session has no row lost it in some other way.
 */
const origins = Effect.fnUntraced(function* (query: Query, id: SessionId, hasDeadSave: boolean) {
  const session = yield* Rows.at(query, sessionRows, { id })
  if (session === undefined)
    return (name: string): Origin => (hasDeadSave && AssetNames.isFile(name) ? "save" : "unknown")
  const wanted = new Set(assetsOf(id, yield* rowsOf(query, Number(session.ordinal))).map(AssetNames.file))
  const { deleted, saved, since } = yield* told(query, Number(session.ordinal))
  return (name: string): Origin => {
    if (wanted.has(name)) return "asset"
    if (!AssetNames.isFile(name)) return "unknown"
    const { createdAt, id } = AssetFile.named(name)
    if (session.state === "hidden" || deleted.has(id)) return "deletion"
    return !saved.has(id) && (hasDeadSave || createdAt >= since) ? "save" : "unknown"
  }
})

/** Checks the folder of one session, in the order of the sweep: first the files, then the markers, then the rows. */
const checkFolder = (query: Query, folder: string, id: SessionId, hasLost: boolean) =>
  Effect.gen(function* () {
    const engines = yield* Engines
    const files = AssetFile.namesIn(folder).filter((name) => !AssetNames.isMarker(name))
    const findings: Array<Finding> = []
    for (const marker of AssetFile.namesIn(folder).filter(AssetNames.isMarker)) {
      const engine = EngineInName.engineOf(marker)
      const liveness = Option.isNone(engine) ? "unknown" : yield* engines.liveness(engine.value)
      if (liveness !== "dead") return [...findings, make("save-running", { path: folder })]
      findings.push(make("left-behind", { path: join(folder, marker), by: "save" }))
    }
    const originOf = yield* origins(query, id, findings.length > 0)
    for (const name of files) {
      const path = join(folder, name)
      const origin = originOf(name)
      // Another process may have finished its work meanwhile.
      if (origin === "asset" || !existsSync(path)) continue
      findings.push(
        origin === "unknown" || hasLost
          ? make("stray-file", { path, isAsset: AssetNames.isFile(name) })
          : make("left-behind", { path, by: origin })
      )
    }
    return findings
  })

/** Checks all files in the folder of assets. `hasLost` says whether rows were lost to which some may belong. */
export const checkFiles = (
  { data, query }: OpenDatabase,
  hasLost: boolean
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed, Engines> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    for (const name of AssetFile.namesIn(join(data, "assets"))) {
      const path = join(data, "assets", name)
      const sessionId = AssetNames.sessionOf(name)
      if (AssetNames.isClock(name)) findings.push(make("left-behind", { path, by: "save" }))
      else if (Option.isNone(sessionId)) findings.push(make("stray-file", { path, isAsset: false }))
      else findings.push(...(yield* checkFolder(query, path, sessionId.value, hasLost)))
    }
    return findings
  })
