/** Whole numbers from 1 on, as values of options. */
import { Effect } from "effect"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as TerminalText from "./terminal/TerminalText.js"

/** Reads a number of at most `digits` digits. A refusal names `field`, and `limit` says what is allowed. */
export const read = (
  text: string,
  { digits, field, limit }: { readonly field: string; readonly digits: number; readonly limit: string }
): Effect.Effect<number, InvalidInput> =>
  /^[1-9]\d*$/.test(text) && text.length <= digits
    ? Effect.succeed(Number(text))
    : new InvalidInput({ field, limit, actual: TerminalText.short(text, 40) })
