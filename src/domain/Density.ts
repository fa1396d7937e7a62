/**
 * How many characters the tokens of a session's requests have, as far as refusals of a provider have taught it. It is
 * learned for one session and one model: texts and tokenizers differ. Pure.
 *
 * A lesson with files may be one about the files only, whose tokens nobody knows. So it holds for as long as one of them
 * is shown. A lesson that led to no answer is forgotten.
 */
import type { AssetId } from "./Asset.js"
import type { ContextOverflow } from "./ContextOverflow.js"
import * as FileWeight from "./FileWeight.js"
import type { Seq } from "./Session.js"
import * as ViewItem from "./ViewItem.js"

export interface Density {
  /** Characters per token. */
  readonly value: number
  /** The files that it was learned with; empty when it was learned from text alone. */
  readonly files: ReadonlySet<AssetId>
  /** The place up to which the transcript was shown then; null for none. */
  readonly place: Seq | null
  /** What holds without the lesson. */
  readonly before: number
}

/** Nothing was learned yet. */
export const assumed: Density = { value: 3, files: new Set(), place: null, before: 3 }

/** Tokens are not believed to have fewer characters than this. */
const least = 0.5

/** Leave a provider's count room to grow until it counts again, and more where all it says is that it was too much. */
const margins = { counted: 0.9, uncounted: 0.7 }

/** A request that did not fit. */
export interface Refused {
  readonly view: ViewItem.View
  /** Approximately how many characters it has besides its view. */
  readonly fixed: number
  readonly overflow: ContextOverflow
}

/** What the request's files count as, and all the rest. */
const sizesOf = ({ fixed, view }: Pick<Refused, "fixed" | "view">) => {
  const files = ViewItem.files(view).reduce((sum, file) => sum + FileWeight.of(file), 0)
  return { files, text: ViewItem.characters(view) - files + fixed }
}

/** Whether most of the request is its files: by what they count as, or because no text has as many tokens. */
export const isOfFiles = (refused: Refused): boolean => {
  const { files, text } = sizesOf(refused)
  const { asked } = refused.overflow
  return files > 0 && (files > text || (asked !== null && text < asked * least))
}

/**
 * Learns from a request that did not fit. Without a count, only one that should have fitted into the tokens `fitting`
 * shows that they have fewer characters; null where that is not known. `isFirst` says that it is the first lesson of
 * this step.
 */
export const learn = (
  known: Density,
  refused: Refused,
  fitting: number | null,
  { isFirst, place }: { readonly isFirst: boolean; readonly place: Seq | null }
): Density => {
  const { files, text } = sizesOf(refused)
  const { asked } = refused.overflow
  const shouldFit = fitting !== null && files + text <= fitting * known.value
  const uncounted = shouldFit ? ((files + text) / fitting) * margins.uncounted : known.value
  const counted = asked === null ? uncounted : ((files + text) / asked) * margins.counted
  return {
    value: Math.min(known.value, Math.max(counted, least)),
    files: new Set(ViewItem.files(refused.view).map(({ assetId }) => assetId)),
    place,
    before: isFirst && known.files.size === 0 ? known.value : known.before
  }
}

export const forget = ({ before }: Density): Density => ({ ...assumed, value: before, before })

/** Whether it was learned with files none of which the view shows. */
export const isOver = ({ files }: Density, view: ViewItem.View): boolean =>
  files.size > 0 && !ViewItem.files(view).some(({ assetId }) => files.has(assetId))
