/** The rows of assets. Their files are handled elsewhere. */
import { Effect, Either } from "effect"
import { Asset, type AssetId } from "../../../domain/Asset.js"
import type { SessionId } from "../../../domain/Session.js"
import {
  AssetNotFound,
  type RowDamaged,
  type SessionDeleting,
  SessionNotFound,
  type StorageFailed
} from "../../../domain/SkeinError.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { decoder } from "./Decoding.js"
import type { Query } from "./Query.js"
import { changeable, record } from "./SessionRow.js"
import { insert, insertion, select } from "./Table.js"
import { assets } from "./Tables.js"

const names = ["id", "name", "mediaType", "size", "sha256", "createdAt"] as const

const columns = `${select(assets, names)}, session_rows.id AS "sessionId"`

/** The row of an asset. */
export const insertAsset = insertion(assets, ["session", ...names])

const decodeAsset = decoder(Asset)

const decode = (sessionId: SessionId, row: object): Either.Either<Asset, RowDamaged> =>
  decodeAsset({ sessionId, seq: null }, row)

export function* save(tx: Transaction, asset: Asset): Program<Asset, SessionNotFound | SessionDeleting> {
  const session = yield* changeable(tx, asset.sessionId)
  yield* insert(tx, insertAsset, { ...asset, session: session.ordinal })
  yield* record(tx, session, "asset.saved", { ref: asset.id })
  return asset
}

export function* remove(
  tx: Transaction,
  { assetId, sessionId }: { readonly sessionId: SessionId; readonly assetId: AssetId }
): Program<Asset, SessionNotFound | SessionDeleting | AssetNotFound | RowDamaged> {
  const session = yield* changeable(tx, sessionId)
  const row = yield* tx.get<object>(
    `SELECT ${columns} FROM assets JOIN session_rows ON session_rows.ordinal = assets.session
       WHERE assets.session = ? AND assets.id = ?`,
    session.ordinal,
    assetId
  )
  if (row === undefined) return yield* Either.left(new AssetNotFound({ sessionId, assetId }))
  yield* tx.run("DELETE FROM assets WHERE session = ? AND id = ?", session.ordinal, assetId)
  yield* record(tx, session, "asset.deleted", { ref: assetId })
  return yield* decode(sessionId, row)
}

export const find = (
  query: Query,
  sessionId: SessionId,
  assetId: AssetId
): Effect.Effect<Asset, AssetNotFound | StorageFailed | RowDamaged> =>
  Effect.flatMap(
    query(
      "read the asset",
      `SELECT ${columns} FROM assets JOIN session_rows ON session_rows.ordinal = assets.session
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden' AND assets.id = ?`,
      sessionId,
      assetId
    ),
    ([row]) =>
      Either.flatMap(
        Either.fromNullable(row, () => new AssetNotFound({ sessionId, assetId })),
        (row) => decode(sessionId, row)
      )
  )

export const list = (
  query: Query,
  sessionId: SessionId
): Effect.Effect<ReadonlyArray<Asset>, SessionNotFound | StorageFailed | RowDamaged> =>
  Effect.gen(function* () {
    const rows = yield* query<{ readonly id: string | null }>(
      "read the assets",
      `SELECT ${columns} FROM session_rows LEFT JOIN assets ON assets.session = session_rows.ordinal
       WHERE session_rows.id = ? AND session_rows.state <> 'hidden' ORDER BY assets.ordinal`,
      sessionId
    )
    if (rows.length === 0) return yield* new SessionNotFound({ sessionId })
    return yield* Either.all(rows.filter((row) => row.id !== null).map((row) => decode(sessionId, row)))
  })
