/** Files in a view: shown, or named by a note in their place. Pure. */
import type { AssetId } from "./Asset.js"
import { type FilePart, filesOf, isFile, type ResultMessage } from "./Message.js"
import * as Place from "./Place.js"
import * as SafeText from "./SafeText.js"
import type { Seq } from "./Session.js"
import { textPart, type ViewFile, type ViewText } from "./ViewItem.js"

export interface Options {
  /** Files up to this place are named, not shown; null for none. */
  readonly filesAfter?: Seq | null
  /** The same for files of results only. */
  readonly resultFilesAfter?: Seq | null
  /** Whether files of results are shown, and not only named. Defaults to false. */
  readonly showsResultFiles?: boolean
  /** Assets that messages name and that were deleted. */
  readonly missingAssets?: ReadonlySet<AssetId>
  /** Bytes of the assets that messages name. The size of others is unknown. */
  readonly assetSizes?: ReadonlyMap<AssetId, number>
}

/** The file, or a note in its place. */
export const part = (
  file: FilePart,
  seq: Seq,
  { assetSizes, filesAfter = null, missingAssets }: Pick<Options, "assetSizes" | "filesAfter" | "missingAssets">
): ViewText | ViewFile => {
  if (missingAssets?.has(file.assetId)) return textPart(`[The file ${nameOf(file)} was deleted.]`)
  if (filesAfter !== null && seq <= filesAfter) return textPart(noLongerShown(file))
  const size = assetSizes?.get(file.assetId)
  return {
    ...file,
    ...(file.name !== undefined && { name: SafeText.wellFormed(file.name) }),
    ...(size !== undefined && { size })
  }
}

export const noLongerShown = (file: FilePart): string => `[The file ${nameOf(file)} is no longer shown.]`

const nameOf = ({ mediaType, name }: FilePart): string =>
  `${name === undefined ? "" : `${JSON.stringify(name)} `}of type ${SafeText.wellFormed(mediaType)}`

export const onlyNamed = (file: FilePart): string => `[The file ${nameOf(file)} is kept. You cannot see its content.]`

/** A result's files, or notes in their place. Providers accept no files with an error. */
export const ofResult = (
  answer: ResultMessage,
  seq: Seq,
  { filesAfter, resultFilesAfter, showsResultFiles = false, ...options }: Options
): ReadonlyArray<ViewText | ViewFile> => {
  const hidden = { ...options, filesAfter: Place.later(filesAfter ?? null, resultFilesAfter ?? null) }
  const isShown = showsResultFiles && answer.outcome === "success"
  return filesOf(answer)
    .map((file) => part(file, seq, hidden))
    .map((shown) => (isFile(shown) && !isShown ? textPart(onlyNamed(shown)) : shown))
}
