/** Whether each asset has its content, byte for byte, and each file its asset. */
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
import type { Query } from "../../../services/storage/sql/Query.js"
import { select } from "../../../services/storage/sql/Table.js"
import { assets } from "../../../services/storage/sql/Tables.js"
import { codeOf } from "../../ErrorCode.js"
import { type AssetLoss, type Finding, make, type SessionKey } from "./Finding.js"

interface Row {
  readonly ordinal: number
  readonly id: string
}

const columns = select(assets, ["ordinal", "id", "name", "mediaType", "size", "sha256", "createdAt"])

const rowsOf = (query: Query, sessionId: SessionId) =>
  query<Row>(
    "look at the assets",
    `SELECT ${columns}, session_rows.id AS sessionId FROM session_rows JOIN assets ON assets.session = session_rows.ordinal
     WHERE session_rows.id = ? AND session_rows.state <> 'hidden' ORDER BY assets.ordinal`,
    sessionId
  )

const decodeAsset = Schema.decodeUnknownEither(Asset)

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

const checkRow = (data: string, session: SessionKey, row: Row): Effect.Effect<ReadonlyArray<Finding>> => {
  const lost = (loss: AssetLoss) => [make("asset-lost", { session, asset: row.id, ordinal: row.ordinal, loss })]
  const asset = decodeAsset(row)
  if (Either.isLeft(asset)) return Effect.succeed(lost({ _tag: "RowDamaged" }))
  const path = join(data, "assets", AssetNames.folder(session.id), AssetNames.file(asset.right))
  return Effect.map(stateOf(path, asset.right), (state) => {
    switch (state) {
      case "whole":
        return []
      case "missing":
        return lost({ _tag: "FileMissing", path })
      case "changed":
        return lost({ _tag: "FileChanged", path })
      case "unreadable":
        return [make("asset-unreadable", { session, asset: row.id, path })]
    }
  })
}

/** Looks at all assets of a session. */
export const checkRows = (
  data: string,
  query: Query,
  session: SessionKey
): Effect.Effect<ReadonlyArray<Finding>, StorageFailed> =>
  Effect.map(
    Effect.flatMap(
      rowsOf(query, session.id),
      Effect.forEach((row) => checkRow(data, session, row))
    ),
    (findings) => findings.flat()
  )

const names = (path: string): ReadonlyArray<string> => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Looks at one session's folder. As in the sweep: first the files, then the markers, then the rows. */
const checkFolder = (query: Query, folder: string, sessionId: SessionId) =>
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
    const rows = yield* rowsOf(query, sessionId)
    const wanted = new Set(Array.getRights(rows.map((row) => decodeAsset(row))).map(AssetNames.file))
    const strays = files
      .filter((name) => !wanted.has(name))
      .map((name) => make("stray-file", { path: join(folder, name), isAsset: AssetNames.isFile(name) }))
    return [...abandoned, ...strays]
  })

/** Looks at all files in the folder of assets. */
export const checkFiles = (data: string, query: Query): Effect.Effect<ReadonlyArray<Finding>, StorageFailed, Engines> =>
  Effect.map(
    Effect.forEach(names(join(data, "assets")), (name) => {
      const path = join(data, "assets", name)
      return Option.match(AssetNames.sessionOf(name), {
        onNone: () => Effect.succeed<ReadonlyArray<Finding>>([make("stray-file", { path, isAsset: false })]),
        onSome: (sessionId) => checkFolder(query, path, sessionId)
      })
    }),
    (findings) => findings.flat()
  )
