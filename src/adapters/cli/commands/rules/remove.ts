import { Effect } from "effect"
import type { ValuesOf } from "../../CommandLine.js"
import { WrongUsage } from "../../Failure.js"
import * as Rules from "../../Rules.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Rules.js"

export const run = Effect.fn("rules.remove")(function* (given: ValuesOf<typeof Commands.rulesRemove>) {
  const pattern = yield* Rules.pattern(given.argument(0) ?? "")
  const { folder, session } = yield* Rules.scope(given)
  const { all, remove } = yield* Rules.folder
  const screen = yield* Screen
  const meant = (yield* all).filter(
    (rule) =>
      rule.pattern === pattern &&
      (folder === null || rule.folder === folder) &&
      (session === null || rule.session === session)
  )
  if (meant.length === 0) return yield* new WrongUsage({ detail: Texts.notFound(TerminalText.line(pattern)) })
  yield* Effect.forEach(meant, remove, { discard: true })
  yield* screen.write(`${Texts.removed}\n${meant.map((rule) => Rules.render(screen.ansi, rule)).join("")}`)
})
