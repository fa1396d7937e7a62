/**
 * What a model is sent: a pure fold over the transcript.
 *
 * Whatever transcript is given, the view is one that a provider accepts: it begins with a user item, other items stand
 * between the assistant's and after them, each call has its one result right after it and in order, call ids are
 * unique, tool names and texts hold nothing that makes a request fail. What a transcript lacks for that is added;
 * nothing is taken away to repair it. Texts in [brackets] are Skein's own words to the model.
 *
 * Of a result its text is sent, and its files to a model that takes them there; others read their names. What else a
 * result has is for programs and people.
 *
 * Reasoning goes back only as far as it can be right:
 * - to the model that wrote it;
 * - while what came before it is as it was, so not after earlier results were shortened or turns left out, nor from an
 *   earlier turn of a transcript whose beginning is not looked at;
 * - unless the provider refused it (`Options.reasoningAfter`).
 * What a vendor keeps with a text goes with the reasoning, what it keeps with a call goes to all models of the vendor.
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
 * The view of a transcript. When it is larger than `maxCharacters`, results of earlier turns are shortened, then earlier
 * turns left out, then results of the last turn shortened. The last turn itself stays, so a view may still be larger.
 * A run makes it of the transcript's end and lets it grow (`TranscriptEnd`, `GrowingView`), which gives the same.
 *
 * @internal
 */
export const make = (entries: ReadonlyArray<Entry>, options: Options): View => {
  const end = TranscriptEnd.prepend(TranscriptEnd.nothing, entries, true, options)
  const turns = TranscriptEnd.startOf(end, options) ?? end.turns
  return GrowingView.make({ turns, beginning: entries[0]?.seq ?? 1 }, options).view()
}
