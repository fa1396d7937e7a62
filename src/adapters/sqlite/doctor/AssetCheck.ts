/** Whether each asset has its content, byte for byte, and each file its asset. */
import type Sqlite from "better-sqlite3"
import { Array, Effect, Either, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import { createReadStream, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { Asset } from "../../../domain/Asset.js"
import type { SessionId } from "../../../domain/Session.js"
import type { StorageFailed } from "../../../domain/SkeinError.js"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import * as EngineInName from "../../../services/EngineInName.js"
import { Engines } from "../../../services/Engines.js"
import { assets, sessionRows } from "../../../services/storage/sql/Tables.js"
import { codeOf } from "../../ErrorCode.js"
import * as Change from "./Change.js"
import { attempt, prepared } from "./Connection.js"
import { type AssetLoss, type Finding, make, type SessionKey } from "./Finding.js"
import * as Rows from "./Rows.js"

const decodeAsset = Schema.decodeUnknownEither(Asset)

/** The assets of a session, as far as their rows decode. */
const assetsOf = (connection: Sqlite.Database, { id, ordinal }: SessionKey): ReadonlyArray<Asset> =>
  Array.filterMap(Rows.of(connection, assets, ordinal), (row) =>
    Either.getRight(decodeAsset({ ...row, sessionId: id }))
  )

const lost = (session: SessionKey, row: Rows.RowOf<typeof assets>, loss: AssetLoss): Finding =>
  make("asset-lost", { session, asset: Rows.text(row.id), loss }, [Change.loss(Change.remove(assets, row))])

const digestOf = (path: string): Effect.Effect<string, unknown> =>
  Effect.tryPromise({
    try: async (signal) => {
      const digest = createHash("sha256").setEncoding("hex")
      await pipeline(createReadStream(path), digest, { signal })
      return String(digest.read())
    },
    catch: (thrown) => thrown
  })

type FileState = "whole" | "missing" | "changed" | "unreadable"

const stateOf = (path: string, { sha256, size }: Asset): Effect.Effect<FileState> =>
  Effect.try({ try: () => statSync(path).size === size, catch: (thrown) => thrown }).pipe(
    Effect.flatMap((isOfSize) => (isOfSize ? digestOf(path) : Effect.succeed(""))),
    Effect.map((digest): FileState => (digest === sha256 ? "whole" : "changed")),
    Effect.catchAll((thrown) => Effect.succeed<FileState>(codeOf(thrown) === "ENOENT" ? "missing" : "unreadable"))
  )

/** The row of an asset, unless it or its session is being deleted. */
const stillWanted = (connection: Sqlite.Database, { ordinal }: SessionKey, { id }: Asset) => {
  const session = Rows.at(connection, sessionRows, { ordinal })
  return session === undefined || session.state === "hidden"
    ? undefined
    : Rows.at(connection, assets, { session: ordinal, id })
}

/** Looks at the files of all assets of a session. */
export const checkFilesOf = (
  data: string,
  connection: Sqlite.Database,
  session: SessionKey
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    for (const asset of yield* attempt("read the assets", () => assetsOf(connection, session))) {
      const path = join(data, "assets", AssetNames.folder(session.id), AssetNames.file(asset))
      const state = yield* stateOf(path, asset)
      // Its row goes before the file does, or its session is hidden before.
      const row =
        state === "whole" ? undefined : yield* attempt("read the asset", () => stillWanted(connection, session, asset))
      if (row === undefined) continue
      if (state === "unreadable") findings.push(make("asset-unreadable", { session, asset: asset.id, path }))
      else findings.push(lost(session, row, { _tag: state === "missing" ? "FileMissing" : "FileChanged", path }))
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

/** The ids of a session's assets that were deleted, of which a file may be left. */
const deletedIn = (connection: Sqlite.Database, session: number): ReadonlySet<string> =>
  new Set(
    prepared<{ readonly ref: string }>(
      connection,
      "SELECT ref FROM event_rows WHERE session = ? AND type = 'asset.deleted'"
    )
      .all(session)
      .map(({ ref }) => ref)
  )

interface Known {
  /** Names of the files that rows want. */
  readonly wanted: ReadonlySet<string>
  /** Whether a file of an asset was to be deleted when its process died, or is just now. */
  readonly isDeleted: (name: string) => boolean
}

/** What the rows of a session tell of files. Without a session, or with a hidden one, all of them were to be deleted. */
const knownOf = (connection: Sqlite.Database, id: SessionId): Known => {
  const session = Rows.at(connection, sessionRows, { id })
  if (session === undefined || session.state === "hidden") return { wanted: new Set(), isDeleted: AssetNames.isFile }
  const key = { id, ordinal: Number(session.ordinal) }
  const deleted = deletedIn(connection, key.ordinal)
  return {
    wanted: new Set(assetsOf(connection, key).map(AssetNames.file)),
    isDeleted: (name) => AssetNames.isFile(name) && deleted.has(AssetNames.assetOf(name))
  }
}

/** Looks at one session's folder. As in the sweep: first the files, then the markers, then the rows. */
const checkFolder = (connection: Sqlite.Database, folder: string, id: SessionId, hasLost: boolean) =>
  Effect.gen(function* () {
    const engines = yield* Engines
    const files = names(folder).filter((name) => !AssetNames.isMarker(name))
    const findings: Array<Finding> = []
    let isRunning = false
    for (const marker of names(folder).filter(AssetNames.isMarker)) {
      const engine = EngineInName.engineOf(marker)
      const liveness = Option.isNone(engine) ? "unknown" : yield* engines.liveness(engine.value)
      if (liveness === "dead") findings.push(make("left-behind", { path: join(folder, marker), by: "save" }))
      else isRunning = true
    }
    if (isRunning) return [...findings, make("save-running", { path: folder })]
    const { isDeleted, wanted } = yield* attempt("read the assets", () => knownOf(connection, id))
    for (const name of files.filter((name) => !wanted.has(name))) {
      const path = join(folder, name)
      const isLeft = !hasLost && isDeleted(name)
      findings.push(
        isLeft
          ? make("left-behind", { path, by: "deletion" })
          : make("stray-file", { path, isAsset: AssetNames.isFile(name) })
      )
    }
    return findings
  })

/** Looks at all files in the folder of assets. `hasLost` tells whether rows were lost that may have wanted some. */
export const checkFiles = (
  data: string,
  connection: Sqlite.Database,
  hasLost: boolean
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed, Engines> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    for (const name of names(join(data, "assets"))) {
      const path = join(data, "assets", name)
      const sessionId = AssetNames.sessionOf(name)
      if (Option.isNone(sessionId)) findings.push(make("stray-file", { path, isAsset: false }))
      else findings.push(...(yield* checkFolder(connection, path, sessionId.value, hasLost)))
    }
    return findings
  })
