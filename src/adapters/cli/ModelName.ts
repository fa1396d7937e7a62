/** A model as people name it, `PROVIDER/MODEL`. */
import { Effect } from "effect"
import * as ModelRef from "../../domain/ModelRef.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as TerminalText from "./terminal/TerminalText.js"

/** `field` names the input in errors. */
export const parse = (field: string, text: string): Effect.Effect<ModelRef.ModelRef, InvalidInput> =>
  Effect.mapError(
    Effect.fromNullable(ModelRef.fromText(text)),
    () => new InvalidInput({ field, limit: "must be PROVIDER/MODEL", actual: TerminalText.short(text, 80) })
  )
