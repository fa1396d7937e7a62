/**
 * Who is told how far long work is that nobody sees otherwise. By default nobody is, and nothing is counted for it.
 * - `deletion`: of a large session, in rows.
 * - `copy`: of the database before a migration, in bytes. The last report has all of them; the migration follows.
 */
import { Context, type Effect } from "effect"

export type Report = (work: "deletion" | "copy", done: number, total: number) => Effect.Effect<void>

export class WorkProgress extends Context.Reference<WorkProgress>()("skein/WorkProgress", {
  defaultValue: (): Report | null => null
}) {}
