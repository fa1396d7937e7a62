/** Ends a token: a server that is running refuses it from the next request on, and ends its streams. */
import { Effect } from "effect"
import * as TokenFolder from "../../../server/access/TokenFolder.js"
import * as TokenText from "../../../server/access/TokenText.js"
import type { ValuesOf } from "../../CommandLine.js"
import { Screen } from "../../terminal/Screen.js"
import type * as Commands from "../../texts/TokenCommands.js"
import * as Texts from "../../texts/Tokens.js"
import * as TokenName from "../../TokenName.js"

export const run = Effect.fn("token.revoke")(function* (given: ValuesOf<typeof Commands.revoke>) {
  const name = yield* TokenName.read(given.argument(0) ?? "")
  yield* TokenFolder.revoke(yield* TokenName.folderOf(given), name)
  const { write } = yield* Screen
  yield* write(`${name === TokenText.local ? Texts.replaced : Texts.revoked(name)}\n`)
})
