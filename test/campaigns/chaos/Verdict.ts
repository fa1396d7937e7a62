/** What must hold for all sessions once they are at rest, checked in the database itself, with no runner in between. */
import { Effect, Layer, Redacted } from "effect"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { SessionId } from "../../../src/domain/Session.js"
import * as SessionEvent from "../../../src/domain/SessionEvent.js"
import { textOf } from "../../../src/domain/Message.js"
import { StorageReader } from "../../../src/services/storage/Storage.js"
import { storageIn } from "../../unit/adapters/postgres/layers.js"
import { broken } from "../../support/verdicts/BrokenPromise.js"
import * as Finale from "../../support/verdicts/Finale.js"

export interface Ended {
  /** How the runs ended, counted by their stop reasons. */
  readonly ends: ReadonlyMap<string, number>
  /** How the calls ended, counted by their outcomes. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly calls: number
}

const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1)

/** The storage itself, as the driver of a campaign reads it. */
export const storage = (url: string, schema: string) =>
  Layer.fresh(storageIn({ url: Redacted.make(url), schema, lanes: 1, readers: 4 }))

/** `sent` has the texts of each session's messages. Throws for a broken promise. */
export const check = (
  folder: string,
  sent: ReadonlyMap<string, ReadonlyArray<string>>
): Effect.Effect<Ended, unknown, StorageReader> =>
  Effect.gen(function* () {
    const reader = yield* StorageReader
    const ends = new Map<string, number>()
    const outcomes = new Map<string, number>()
    for (const [session, texts] of sent) {
      const sessionId = SessionId.make(session)
      const { entries, events } = yield* Finale.record({ reader }, sessionId)
      const asked = entries.flatMap(({ message }) => (message.role === "user" ? [textOf(message)] : []))
      if (asked.toSorted().join() !== texts.toSorted().join())
        broken("P5", `${session} was sent ${texts.join()} but has ${asked.join()}`)
      const settled = events.flatMap((event) => (SessionEvent.is("run.ended")(event) ? [event] : []))
      if (new Set(settled.map(({ runId }) => runId)).size !== settled.length)
        broken("P5", `${session} settled a run twice`)
      if (settled.length !== texts.length)
        broken("P2", `${session} settled ${settled.length} of ${texts.length} messages`)
      for (const { stopReason } of settled) count(ends, stopReason)
      for (const { message } of entries) {
        if (message.role !== "tool") continue
        count(outcomes, message.outcome)
        if (message.outcome === "success" && !existsSync(join(folder, message.callId)))
          broken("P5", `${message.callId} is stored as a success but did not run`)
      }
    }
    for (const reason of ends.keys())
      // A run that was taken over three times without progress ends as `crashed`.
      if (reason !== "completed" && reason !== "crashed") broken("P5", `a run ended as ${reason}`)
    return { ends, outcomes, calls: readdirSync(folder).length }
  })
