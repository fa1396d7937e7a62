/** Makes a token. Its text is the only line on stdout, so that it can go straight to where it belongs. */
import { Effect, Schema } from "effect"
import { InvalidInput } from "../../../../domain/SkeinError.js"
import * as TokenFolder from "../../../server/access/TokenFolder.js"
import * as TokenText from "../../../server/access/TokenText.js"
import type { ValuesOf } from "../../CommandLine.js"
import { WrongUsage } from "../../Failure.js"
import * as Moment from "../../Moment.js"
import * as OwnerName from "../../OwnerName.js"
import { Screen } from "../../terminal/Screen.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/TokenCommands.js"
import * as Texts from "../../texts/Tokens.js"
import * as TokenName from "../../TokenName.js"
import * as WholeNumber from "../../WholeNumber.js"

const isScope = Schema.is(TokenFolder.Scope)

const cap = (text: string | null, field: string) =>
  text === null ? Effect.succeed(null) : WholeNumber.read(text, { field, digits: 12, limit: Texts.capForm })

export const run = Effect.fn("token.create")(function* (given: ValuesOf<typeof Commands.create>) {
  const screen = yield* Screen
  const name = yield* TokenName.read(given.argument(0) ?? "")
  if (name === TokenText.local) {
    return yield* new InvalidInput({ field: "NAME", limit: Texts.nameForm, actual: name })
  }
  const scope = given.value("scope")
  if (scope === null) return yield* new WrongUsage({ detail: Texts.needsScope })
  if (!isScope(scope)) {
    return yield* new InvalidInput({
      field: "--scope",
      limit: Texts.scopeForm,
      actual: TerminalText.short(scope, 40)
    })
  }
  const owner = (yield* OwnerName.read(given.value("owner"))) ?? null
  const expiresAt = yield* Moment.until("--expires", given.value("expires"))
  const text = yield* TokenFolder.create(yield* TokenName.folderOf(given), {
    name,
    scope,
    owner,
    expiresAt,
    maxRuns: yield* cap(given.value("max-runs"), "--max-runs"),
    maxRequests: yield* cap(given.value("max-requests"), "--max-requests"),
    maxUpload: yield* cap(given.value("max-upload"), "--max-upload")
  })
  yield* screen.write(`${text}\n`)
  yield* screen.writeError(`skein: ${Texts.created(name)}\n`)
})
