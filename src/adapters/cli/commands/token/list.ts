/** Lists the named tokens, without their secrets. */
import { Clock, Effect } from "effect"
import * as TokenFolder from "../../../server/access/TokenFolder.js"
import type { ValuesOf } from "../../CommandLine.js"
import { moment } from "../../SessionTable.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/TokenCommands.js"
import * as Codes from "../../texts/Codes.js"
import * as Texts from "../../texts/Tokens.js"
import * as TokenName from "../../TokenName.js"

const json = ({ hash: _, ...shown }: TokenFolder.Token): string => TerminalText.json(JSON.stringify(shown))

const rowOf = ({ createdAt, expiresAt, name, owner, scope }: TokenFolder.Token, now: number) => [
  name,
  scope,
  owner === null ? Texts.everybody : TerminalText.short(owner, 30),
  moment(createdAt),
  expiresAt === null ? Texts.never : expiresAt <= now ? Texts.expired(moment(expiresAt)) : moment(expiresAt)
]

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => TerminalText.pad(cell, widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`
    )
    .join("")
}

export const run = Effect.fn("token.list")(function* (given: ValuesOf<typeof Commands.list>) {
  const screen = yield* Screen
  const { others, tokens } = yield* TokenFolder.list(yield* TokenName.folderOf(given))
  for (const { code, path } of others) {
    yield* screen.writeError(`skein: ${TerminalText.line(Codes.explain(Texts.noToken(path, code)))}\n`)
  }
  if (given.has("json")) return yield* screen.write(tokens.map((token) => `${json(token)}\n`).join(""))
  const now = yield* Clock.currentTimeMillis
  const { created, expires, name, owner, scope } = Texts.headings
  const rows = [[name, scope, owner, created, expires], ...tokens.map((token) => rowOf(token, now))]
  yield* screen.write(tokens.length === 0 ? `${Texts.none}\n` : table(rows))
})
