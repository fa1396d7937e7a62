import { Effect, Schema } from "effect"
import * as RuleFolder from "../../../node/RuleFolder.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Rules from "../../Rules.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Rules.js"

const encode = Schema.encodeSync(Schema.parseJson(RuleFolder.StoredRule))

const order = ["deny", "ask", "allow"]

export const run = Effect.fn("rules.list")(function* (given: ValuesOf<typeof Commands.rulesList>) {
  const { all } = yield* Rules.folder
  const screen = yield* Screen
  const rules = (yield* all).toSorted(
    (one, other) => order.indexOf(one.word) - order.indexOf(other.word) || (one.pattern < other.pattern ? -1 : 1)
  )
  if (given.has("json")) {
    return yield* screen.write(rules.map((rule) => `${TerminalText.json(encode(rule))}\n`).join(""))
  }
  yield* screen.write(
    rules.length === 0 ? `${Texts.none}\n` : rules.map((rule) => Rules.render(screen.ansi, rule)).join("")
  )
})
