/**
 * A doctor, as far as backups need one: what it finds in a data folder and what a repair does there, in words. It is a
 * port because a check is one long step: the command runs it in a process of its own, so that signals are noticed
 * meanwhile.
 */
import { Context, Schema } from "effect"
import type { Effect } from "effect"
import type { StorageFailed } from "../../../domain/SkeinError.js"

/** What is lost once the damage is repaired. `rows` counts the rows of which no session is known, and pages. */
const Loss = Schema.Struct({ messages: Schema.Int, files: Schema.Int, rows: Schema.Int })

/** What was found, and what became of it. */
export const Remark = Schema.Struct({
  kind: Schema.String,
  state: Schema.Literal("damage", "note", "repaired"),
  /** The sessions that it is about, as far as that is known. */
  sessions: Schema.Array(Schema.String),
  lost: Loss,
  /** Where it is, and what it is. */
  text: Schema.String,
  /** The same, with what can be or was done about it. */
  advice: Schema.String
})
export type Remark = typeof Remark.Type

export interface Service {
  /** Everything that is wrong with the database at a path, without the files of its assets. Changes nothing. */
  readonly look: (path: string) => Effect.Effect<ReadonlyArray<Remark>, StorageFailed>
  /** Repairs what can be repaired in a data folder. */
  readonly repair: (data: string) => Effect.Effect<ReadonlyArray<Remark>, StorageFailed>
}

export class Examiner extends Context.Tag("skein/backup/Examiner")<Examiner, Service>() {}
