/** The user's permission rules, as the commands about them name and show them. */
import * as Path from "@effect/platform/Path"
import { Effect, Layer, Schema } from "effect"
import { Pattern } from "../../domain/PermissionRule.js"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as DataFolder from "../node/DataFolder.js"
import * as RuleFolder from "../node/RuleFolder.js"
import type { Values } from "./CommandLine.js"
import * as SessionLookup from "./SessionLookup.js"
import type { Ansi } from "./terminal/Ansi.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Rules.js"

const path = Effect.flatMap(DataFolder.host, DataFolder.rules)

/** The user's rules. */
export const folder = Effect.map(path, RuleFolder.open)

/** The same for an engine. */
export const layer = Layer.unwrapEffect(Effect.map(path, RuleFolder.layer))

type Scope = Pick<RuleFolder.StoredRule, "folder" | "session">

/** Where a rule applies, as a command line says it. */
export const scope = Effect.fn("Rules.scope")(function* (given: Pick<Values<"folder" | "session">, "value">) {
  const [folder, session] = [given.value("folder"), given.value("session")]
  const { resolve } = yield* Path.Path
  const scope: Scope = {
    folder: folder === null ? null : resolve(folder),
    session: session === null ? null : yield* SessionLookup.parse(session)
  }
  return scope
})

const decodePattern = Schema.decodeUnknown(Pattern)

export const pattern = (text: string): Effect.Effect<string, InvalidInput> =>
  Effect.mapError(
    decodePattern(text.trim()),
    () => new InvalidInput({ field: "PATTERN", limit: Texts.pattern, actual: TerminalText.short(text, 80) })
  )

const places = ({ folder, session }: Scope): ReadonlyArray<string> => [
  ...(folder === null ? [] : [Texts.inFolder(TerminalText.line(folder))]),
  ...(session === null ? [] : [Texts.inSession(session)])
]

/** A rule on one line, and where it applies on another if that is not everywhere. */
export const render = (ansi: Ansi, rule: RuleFolder.StoredRule): string => {
  const where = places(rule).join(", ")
  const line = `${ansi.bold(rule.word.padEnd(5))}  ${TerminalText.line(rule.pattern)}\n`
  return where === "" ? line : `${line}${ansi.dim(`       ${where}`)}\n`
}
