/**
 * What a child is told at its start, and what it says, one line of JSON each: everything that it announces, as soon as
 * it announces it.
 */
import { Schema } from "effect"
import { AssetId } from "../../../src/domain/Asset.js"
import { QuestionId, Verdict } from "../../../src/domain/Permission.js"
import { RunId } from "../../../src/domain/Run.js"
import { Seq, SessionId } from "../../../src/domain/Session.js"
import { Durable } from "../../../src/domain/SessionEvent.js"
import { Own } from "./Points.js"

/** A child's only argument. */
export const Setup = Schema.parseJson(
  Schema.Struct({
    /** The folder of the case, which holds `data` and `calls`. */
    folder: Schema.String,
    seed: Schema.Int,
    /** The number of this process among those that work at the same time. */
    place: Schema.Int,
    /** `open` only opens the database; `small` does each thing once, one after the other. */
    script: Schema.Literal("open", "small", "full"),
    point: Schema.NullOr(Schema.Struct({ name: Own, at: Schema.Int }))
  })
)
export type Setup = typeof Setup.Type

const session = { session: SessionId }

/** A change that a child asks for. */
export const Wish = Schema.Union(
  Schema.TaggedStruct("Create", session),
  Schema.TaggedStruct("Rename", { ...session, title: Schema.String }),
  Schema.TaggedStruct("Model", { ...session, model: Schema.String }),
  Schema.TaggedStruct("Patch", { ...session, field: Schema.String, value: Schema.Int }),
  Schema.TaggedStruct("Append", { ...session, text: Schema.String }),
  Schema.TaggedStruct("Send", { ...session, text: Schema.String }),
  Schema.TaggedStruct("Resume", session),
  Schema.TaggedStruct("Cancel", { ...session, run: RunId }),
  Schema.TaggedStruct("Answer", { ...session, question: QuestionId, verdict: Verdict }),
  Schema.TaggedStruct("Save", { ...session, bytes: Schema.Int, sha256: Schema.String }),
  Schema.TaggedStruct("Drop", { ...session, asset: AssetId }),
  Schema.TaggedStruct("Delete", session)
)
export type Wish = typeof Wish.Type

/** What identifies a change that was made. */
export const Outcome = Schema.Struct({
  run: Schema.NullOr(RunId),
  asset: Schema.NullOr(AssetId),
  seq: Schema.NullOr(Seq)
})
export type Outcome = typeof Outcome.Type

/** `number` identifies a wish of the process. */
const Said = Schema.Union(
  Schema.TaggedStruct("Opened", {}),
  Schema.TaggedStruct("Wants", { number: Schema.Int, wish: Wish }),
  Schema.TaggedStruct("Got", { number: Schema.Int, outcome: Outcome }),
  Schema.TaggedStruct("Refused", { number: Schema.Int, error: Schema.String }),
  Schema.TaggedStruct("Saw", { event: Durable }),
  /** Something that must never happen. */
  Schema.TaggedStruct("Breach", { text: Schema.String }),
  /** The script was played and the engine closed. */
  Schema.TaggedStruct("Ended", { crossed: Schema.Record({ key: Schema.String, value: Schema.Int }) })
)
export type Said = typeof Said.Type

export const Line = Schema.parseJson(Said)
