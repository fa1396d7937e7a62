import * as Path from "@effect/platform/Path"
import { Effect } from "effect"
import * as PermissionRule from "../../../../domain/PermissionRule.js"
import { SessionId } from "../../../../domain/Session.js"
import * as ShellCommands from "../../../tools/ShellCommands.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Rules from "../../Rules.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as Texts from "../../texts/Rules.js"

/** Tools of the workspace that work on a path. */
const onFiles = new Set(["read", "list", "write", "edit", "glob", "grep"])

const nobody = SessionId.make("none")

export const run = Effect.fn("rules.test")(function* (given: ValuesOf<typeof Commands.rulesTest>) {
  const [tool, input] = [given.argument(0) ?? "", given.argument(1) ?? ""]
  const { folder, session } = yield* Rules.scope(given)
  const screen = yield* Screen
  const workdir = folder ?? (yield* Path.Path).resolve(".")
  const rules = yield* (yield* Rules.folder).of({ id: session ?? nobody, workdir })
  const judgement = PermissionRule.judge(rules, {
    tool,
    commands: tool === "shell" ? yield* ShellCommands.of(input) : null,
    paths: onFiles.has(tool) ? [PermissionRule.placeOf(workdir, input)] : [],
    input
  })
  const rule = judgement?.rule ?? null
  const text =
    judgement === null
      ? Texts.undecided
      : rule === null
        ? Texts.notUnderstood
        : Texts.by(judgement.word, TerminalText.line(rule.pattern))
  yield* screen.write(`${text}\n`)
})
