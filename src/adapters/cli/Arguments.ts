/** Values of the command line, read as what they stand for. */
import { Effect, ParseResult, Schema } from "effect"
import * as ModelRef from "../../domain/ModelRef.js"
import { SessionId } from "../../domain/Session.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as TerminalText from "./terminal/TerminalText.js"

export const sessionId = (text: string): Effect.Effect<SessionId, InvalidInput> =>
  Effect.mapError(Schema.decodeUnknown(SessionId)(text), (error) => {
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
    return new InvalidInput({
      field: "session",
      limit: issue?.message ?? "a session id",
      actual: TerminalText.short(text, 80)
    })
  })

/** Reads `PROVIDER/MODEL`. `field` is what the user calls it. */
export const model = (field: string, text: string): Effect.Effect<ModelRef.ModelRef, InvalidInput> =>
  Effect.mapError(
    Effect.fromNullable(ModelRef.fromText(text)),
    () => new InvalidInput({ field, limit: "PROVIDER/MODEL", actual: TerminalText.short(text, 80) })
  )
