/** How an engine that opens brings a database of an older version up to date. */
import { Context, Effect } from "effect"

export interface Shape {
  /** Milliseconds that it waits until nobody else works on the database; null for as long as a write waits for a lock. */
  readonly patienceMillis: number | null
  /** Whether it may end engines of older versions, where others may work on a database while it is migrated. */
  readonly endsOthers: boolean
  /** Whether a copy is kept of a database whose rows are changed. */
  readonly keepsCopy: boolean
  /** Receives the path of that copy. */
  readonly copied: (path: string) => Effect.Effect<void>
}

export const usual: Shape = { patienceMillis: null, endsOthers: true, keepsCopy: true, copied: () => Effect.void }

export class Upgrading extends Context.Reference<Upgrading>()("skein/Upgrading", { defaultValue: () => usual }) {}
