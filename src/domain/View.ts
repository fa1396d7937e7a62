/**
 * What a model is sent: a pure fold over the transcript.
 *
 * For any transcript, the view is one that a provider accepts: it begins with a user item; there is another item
 * between two assistant items and after the last one; each call has its one result right after it, in order; call ids
 * are unique; tool names and texts hold nothing that makes a request fail. What a transcript lacks for that is added;
 * nothing is removed to repair it. Texts in [brackets] are Skein's own words to the model.
 *
 * A result's text is sent, and its files to a model that takes files there; other models read the files' names.
 * Everything else in a result is for programs and people.
 *
 * Reasoning is sent back only where it can still be valid:
 * - to the model that wrote it;
 * - while what came before it is unchanged, so not after earlier results were shortened or turns left out, and not from
 *   an earlier turn of a transcript whose beginning is not considered;
 * - unless the provider refused it (`Options.reasoningAfter`).
 * A vendor's metadata of a text goes with the reasoning; its metadata of a call goes to all models of the vendor.
 *
 * Views are stable, so that providers can cache their beginning: an entry added to the transcript leaves the items
 * before it as they were, unless the context is full (see `ContextWindow`) or the last batch was still open.
 */
import type { Entry } from "./Message.js"
import * as GrowingView from "./GrowingView.js"
import * as TranscriptEnd from "./TranscriptEnd.js"
import type { View } from "./ViewItem.js"
import type { Options } from "./ViewPiece.js"

export * from "./ViewItem.js"
export type { Options }

/**
 * Returns the view of a transcript. If it is larger than `maxCharacters`, results of earlier turns are shortened, then
 * earlier turns are left out, then results of the last turn are shortened. A user's message that was too long is left
 * out once another follows. The rest of the last turn stays, so a view may still be larger. A run makes its view from the
 * transcript's end and lets it grow (`TranscriptEnd`, `GrowingView`), with the same result.
 *
 * @internal
 */
export const make = (entries: ReadonlyArray<Entry>, options: Options): View => {
  const end = TranscriptEnd.prepend(TranscriptEnd.nothing, entries, true, options)
  const turns = TranscriptEnd.startOf(end, options) ?? end.turns
  return GrowingView.make({ turns, beginning: entries[0]?.seq ?? 1 }, options).view()
}
