/**
 * Who is told how far long work is that nobody sees otherwise: the deletion of a large session, the copy before a
 * migration. By default nobody is, and nothing is counted for it.
 */
import { Context, type Effect } from "effect"

/** What the work is, and in which units it is counted. */
export type Work =
  { readonly _tag: "Deletion"; readonly unit: "rows" } | { readonly _tag: "Copy"; readonly unit: "bytes" }

export type Report = (work: Work, done: number, total: number) => Effect.Effect<void>

export class WorkProgress extends Context.Reference<WorkProgress>()("skein/WorkProgress", {
  defaultValue: (): Report | null => null
}) {}
