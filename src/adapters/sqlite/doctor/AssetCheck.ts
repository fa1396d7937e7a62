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
import { attempt } from "./Connection.js"
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

/** Looks at the rows of all assets of a session. */
export const checkRows = (connection: Sqlite.Database, session: SessionKey): ReadonlyArray<Finding> =>
  Array.filterMap(Rows.of(connection, assets, session.ordinal), (row) =>
    Either.isRight(decodeAsset({ ...row, sessionId: session.id }))
      ? Option.none()
      : Option.some(lost(session, row, { _tag: "RowDamaged" }))
  )

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
      // Its row goes before the file does.
      const key = { session: session.ordinal, id: asset.id }
      const row =
        state === "whole" ? undefined : yield* attempt("read the asset", () => Rows.at(connection, assets, key))
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

/** Looks at one session's folder. As in the sweep: first the files, then the markers, then the rows. */
const checkFolder = (connection: Sqlite.Database, folder: string, id: SessionId) =>
  Effect.gen(function* () {
    const engines = yield* Engines
    const files = names(folder).filter((name) => !AssetNames.isMarker(name))
    const [running, abandoned] = yield* Effect.partition(names(folder).filter(AssetNames.isMarker), (marker) =>
      Effect.filterOrFail(
        Option.match(EngineInName.engineOf(marker), {
          onNone: () => Effect.succeed("unknown"),
          onSome: engines.liveness
        }),
        (liveness) => liveness === "dead",
        () => marker
      ).pipe(Effect.as(make("left-behind", { path: join(folder, marker), by: "save" })))
    )
    if (running.length > 0) return [...abandoned, make("save-running", { path: folder })]
    const kept = yield* attempt("read the assets", () => {
      const session = Rows.at(connection, sessionRows, { id })
      if (session === undefined || session.state === "hidden") return []
      return assetsOf(connection, { id, ordinal: Number(session.ordinal) })
    })
    const wanted = new Set(kept.map(AssetNames.file))
    const strays = files
      .filter((name) => !wanted.has(name))
      .map((name) => make("stray-file", { path: join(folder, name), isAsset: AssetNames.isFile(name) }))
    return [...abandoned, ...strays]
  })

/** Looks at all files in the folder of assets. */
export const checkFiles = (
  data: string,
  connection: Sqlite.Database
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed, Engines> =>
  Effect.gen(function* () {
    const findings: Array<Finding> = []
    for (const name of names(join(data, "assets"))) {
      const path = join(data, "assets", name)
      const sessionId = AssetNames.sessionOf(name)
      if (Option.isNone(sessionId)) findings.push(make("stray-file", { path, isAsset: false }))
      else findings.push(...(yield* checkFolder(connection, path, sessionId.value)))
    }
    return findings
  })
