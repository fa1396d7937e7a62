/** The reference for the rows of assets. It does not handle their files. */
import { Either } from "effect"
import type { Asset, AssetId } from "../../../domain/Asset.js"
import type { SessionId } from "../../../domain/Session.js"
import { AssetNotFound, type SessionDeleting, type SessionNotFound } from "../../../domain/SkeinError.js"
import { type Asked, changeable, type SessionRecord, putSession, record, type State, type Transition } from "./State.js"

export const saveAsset = (
  state: State,
  at: number,
  { actor, asset }: { readonly asset: Asset } & Asked
): Transition<Asset, SessionNotFound | SessionDeleting> =>
  Either.map(changeable(state, asset.sessionId), (kept) => [
    asset,
    putSession(
      state,
      record({ ...kept, assets: [...kept.assets, asset] }, at, { type: "asset.saved", assetId: asset.id }, actor)
    )
  ])

export const deleteAsset = (
  state: State,
  at: number,
  { actor, assetId, sessionId }: { readonly sessionId: SessionId; readonly assetId: AssetId } & Asked
): Transition<Asset, SessionNotFound | SessionDeleting | AssetNotFound> =>
  Either.gen(function* () {
    const kept = yield* changeable(state, sessionId)
    const asset = yield* findAsset(kept, assetId)
    const assets = kept.assets.filter(({ id }) => id !== assetId)
    return [asset, putSession(state, record({ ...kept, assets }, at, { type: "asset.deleted", assetId }, actor))]
  })

export const findAsset = (kept: SessionRecord, assetId: AssetId): Either.Either<Asset, AssetNotFound> =>
  Either.fromNullable(
    kept.assets.find(({ id }) => id === assetId),
    () => new AssetNotFound({ sessionId: kept.session.id, assetId })
  )
