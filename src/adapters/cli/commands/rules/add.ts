import { Effect, Schema } from "effect"
import { Word } from "../../../../domain/PermissionRule.js"
import { InvalidInput } from "../../../../domain/SkeinError.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Rules from "../../Rules.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Rules.js"

const decodeWord = Schema.decodeUnknown(Word)

const wordOf = (text: string): Effect.Effect<Word, InvalidInput> =>
  Effect.mapError(
    decodeWord(text),
    () => new InvalidInput({ field: "DECISION", limit: Texts.words, actual: TerminalText.short(text, 80) })
  )

export const run = Effect.fn("rules.add")(function* (given: ValuesOf<typeof Commands.rulesAdd>) {
  const word = yield* wordOf(given.argument(0) ?? "")
  const pattern = yield* Rules.pattern(given.argument(1) ?? "")
  const rule = { word, pattern, ...(yield* Rules.scope(given)) }
  const screen = yield* Screen
  const isNew = yield* (yield* Rules.folder).add(rule)
  yield* screen.write(`${isNew ? Texts.added : Texts.known}\n${Rules.render(screen.ansi, rule)}`)
})
