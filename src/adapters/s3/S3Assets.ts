/**
 * Assets in a bucket of an S3-compatible store, in place of files in the data folder.
 *
 * Each data folder needs a prefix of its own: its sweep removes what its own rows do not name.
 *
 * Keys are `<prefix>/<session>/<file>` for a placed content and `<prefix>/<session>/<marker>/…` for a save that has not
 * ended: `begun`, the marker itself; `content`; and an empty object for each place that it claims. Folders do not
 * exist, so an empty one need not be removed.
 *
 * Not every server refuses to overwrite an object when asked to (`If-None-Match`). A place is therefore claimed first,
 * and then the claims of others are looked for: of two saves, at least one sees the other and takes the next place.
 *
 * An upload in parts belongs to a marker. All of a marker's uploads are aborted before the marker is removed, by its
 * save or by the sweep once its engine is dead.
 */
import { Effect, Layer, MutableHashSet, Option, Stream } from "effect"
import type { InvalidInput } from "../../domain/SkeinError.js"
import { AssetFiles, FilesFailed } from "../../services/assets/AssetFiles.js"
import type { Service, Upload } from "../../services/assets/AssetFiles.js"
import * as AssetNames from "../../services/assets/AssetNames.js"
import * as Bucket from "./Bucket.js"
import * as PartedContent from "./PartedContent.js"
import * as Settings from "./Settings.js"

export type { Options } from "./Settings.js"

const failed = ({ detail, missing }: Bucket.S3Failed) => new FilesFailed({ detail, missing })

/** A request that was sent may be served after its fiber is interrupted, so changes are not interruptible. */
const change = <A, R>(effect: Effect.Effect<A, Bucket.S3Failed, R>) =>
  Effect.uninterruptible(Effect.mapError(effect, failed))

const make = (settings: Settings.Settings): Service => {
  const bucket = Bucket.make(settings)
  const root = `${settings.prefix}/`
  const folderOf = (folder: string) => `${root}${folder}/`
  const keyOf = (folder: string, name: string) => `${folderOf(folder)}${name}`
  const markerOf = ({ folder, marker }: Upload) => keyOf(folder, marker)
  const begunOf = (upload: Upload) => `${markerOf(upload)}/begun`
  const contentOf = (upload: Upload) => `${markerOf(upload)}/content`

  /** Contents of this process's saves for which no upload in parts has begun. */
  const settled = MutableHashSet.empty<string>()
  const settle = (content: string) => Effect.sync(() => void MutableHashSet.add(settled, content))
  const unsettle = (content: string) => Effect.sync(() => void MutableHashSet.remove(settled, content))

  /** What is directly below a prefix. */
  const names = (prefix: string) =>
    bucket.list(prefix, "/").pipe(
      Effect.map((keys) =>
        keys.map((key) => key.slice(prefix.length).replace(/\/$/, "")).filter((name) => name !== "")
      ),
      Effect.mapError(failed)
    )

  const begin = (upload: Upload) =>
    Effect.zipRight(settle(contentOf(upload)), bucket.put(begunOf(upload), new Uint8Array(0)))

  const create = (upload: Upload) => {
    const content = contentOf(upload)
    return Effect.map(PartedContent.make(bucket, content, unsettle(content)), ({ append, finish }) => ({
      append: (bytes: Uint8Array) => change(append(bytes)),
      sync: change(finish)
    }))
  }

  const place = Effect.fnUntraced(function* (upload: Upload, file: string) {
    const claim = `${markerOf(upload)}/${file}`
    const target = keyOf(upload.folder, file)
    yield* bucket.put(claim, new Uint8Array(0))
    const held = yield* bucket.list(`${folderOf(upload.folder)}.`)
    if (!held.includes(begunOf(upload))) {
      return yield* new Bucket.S3Failed({ detail: "the upload is gone", missing: true, isTransient: false })
    }
    if (held.some((key) => key !== claim && key.endsWith(`/${file}`))) return false
    // Checked last: a save that has ended has no claim any more.
    if (Option.isSome(yield* bucket.size(target))) return false
    yield* Effect.onError(bucket.copy(contentOf(upload), target), () => Effect.ignoreLogged(bucket.remove(target)))
    return true
  })

  /** Removes an object, or everything of a marker. What shows that it is there is removed last. */
  const remove = Effect.fnUntraced(function* (folder: string, name: string) {
    const key = keyOf(folder, name)
    const [content, begun] = [`${key}/content`, `${key}/begun`]
    if (AssetNames.isMarker(name) && !MutableHashSet.has(settled, content)) {
      yield* Effect.forEach(yield* bucket.uploads(content), (uploadId) => bucket.abort(content, uploadId))
    }
    const found = (yield* bucket.list(key)).filter((other) => other === key || other.startsWith(`${key}/`))
    const last = found.filter((other) => other === key || other === begun)
    const first = found.filter((other) => !last.includes(other))
    yield* Effect.forEach([...first, ...last], bucket.remove, { discard: true })
    yield* unsettle(content)
    return last.length > 0
  })

  return {
    mostBytes: PartedContent.mostBytes,
    age: (upload) => Effect.mapError(bucket.age(`${markerOf(upload)}/`), failed),
    begin: (upload) => change(begin(upload)),
    create,
    place: (upload, file) => change(place(upload, file)),
    end: ({ folder, marker }) => change(remove(folder, marker)),
    read: ({ file, folder }, { length, offset }) =>
      Stream.mapError(bucket.read(keyOf(folder, file), offset, length), failed),
    remove: ({ file, folder }) => change(remove(folder, file)),
    removeEmpty: () => Effect.void,
    folders: names(root),
    entries: (folder) => names(folderOf(folder))
  }
}

/**
 * Keeps assets in a bucket. For `assets` of `SkeinNode`. Fails with `InvalidInput`, which names the setting. The bucket
 * is not contacted before an asset is saved, read or swept: what is wrong with it is reported by the `AssetFailed` of
 * that operation.
 */
export const layer = (options: Settings.Options): Layer.Layer<AssetFiles, InvalidInput> =>
  Layer.effect(AssetFiles, Effect.map(Settings.make(options), make))
