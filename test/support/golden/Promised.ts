/** What must hold for every golden data folder: it opens with nothing missing, and what was left behind goes on. */
import { expect } from "@effect/vitest"
import { Effect, Schema, Struct } from "effect"
import type { Scope } from "effect"
import { Entry } from "../../../src/domain/Message.js"
import * as Going from "./Going.js"
import * as Golden from "./Golden.js"

type Check = (golden: string) => Effect.Effect<void, unknown, Scope.Scope>

const idOf = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))
const fieldsOf = Schema.decodeUnknownSync(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
const seqOf = Schema.decodeUnknownSync(Schema.Struct({ seq: Schema.Number }))

/** Whatever the version showed of a session is still in the transcript, each entry in its place. */
const expectKept = (golden: string, id: string, entries: ReadonlyArray<typeof Entry.Encoded>) => {
  const before = Golden.shown(golden, id)
  const places = new Set(before.map((entry) => seqOf(entry).seq))
  expect(entries.filter(({ seq }) => places.has(seq))).toMatchObject(before)
}

const shows: Check = (golden) =>
  Effect.gen(function* () {
    const { damaged, sessions, transcripts } = yield* Going.show(yield* Golden.copied(golden))
    expect(damaged).toEqual([])
    // A later version may show more, never less. A session no longer does what it did when its process was killed.
    const before = Golden.shown(golden, "sessions").map((session) => Struct.omit(fieldsOf(session), "activity"))
    expect(sessions).toMatchObject(before)
    for (const { entries, id } of transcripts) expect(entries).toMatchObject(Golden.shown(golden, id))
  })

const goesOn =
  (way: Going.Way): Check =>
  (golden) =>
    Effect.gen(function* () {
      const outcomes = yield* Going.goOn(yield* Golden.copied(golden), way)
      const ids = Golden.shown(golden, "sessions").map((session) => idOf(session).id)
      if (way === "answer") expect(outcomes.flatMap(({ asked }) => asked)).not.toEqual([])
      else expect(outcomes.map(({ id }) => id)).toEqual(ids)
      for (const { asked, entries, id, isSendable, order, questions, queue, started, stopReason } of outcomes) {
        expect({ id, isSendable, questions, order }).toEqual({ id, isSendable: true, questions: 0, order: queue })
        expect([id, stopReason]).toEqual([id, expect.toSatisfy((reason) => reason === null || reason === "completed")])
        expect(started.filter((outcome) => outcome !== "interrupted")).toEqual([])
        expect(asked.filter((outcome) => outcome !== "success")).toEqual([])
        expectKept(golden, id, entries)
      }
    })

/** By name. */
export const promised: ReadonlyArray<readonly [name: string, check: Check]> = [
  ["every session and every transcript is what that version showed", shows],
  ["a message to every session is answered, after the queued runs, in order", goesOn("message")],
  ["every session is resumed", goesOn("resume")],
  ["every open question is answered, and its call goes on", goesOn("answer")]
]
