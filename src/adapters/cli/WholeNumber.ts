/** Whole numbers from 1 on, as options of the command have them. */
import { Effect } from "effect"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as TerminalText from "./terminal/TerminalText.js"

/** Reads one of at most so many digits. A refusal names the option, and says what `limit` says is allowed. */
export const read = (
  text: string,
  { digits, field, limit }: { readonly field: string; readonly digits: number; readonly limit: string }
): Effect.Effect<number, InvalidInput> =>
  /^[1-9]\d*$/.test(text) && text.length <= digits
    ? Effect.succeed(Number(text))
    : new InvalidInput({ field, limit, actual: TerminalText.short(text, 40) })
