/**
 * Receives the progress of long work that is otherwise invisible. By default nobody does, and nothing is counted.
 * - `deletion`: of a large session, in rows.
 * - `copy`: of the database before a migration, in bytes. The last report has all bytes; the migration follows.
 */
import { Context, type Effect } from "effect"

export type Report = (work: "deletion" | "copy", done: number, total: number) => Effect.Effect<void>

export class WorkProgress extends Context.Reference<WorkProgress>()("skein/WorkProgress", {
  defaultValue: (): Report | null => null
}) {}
