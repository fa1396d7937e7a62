/** The name of a token as an argument, and where tokens are. */
import { Effect, Schema } from "effect"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as TokenText from "../server/access/TokenText.js"
import type { Values } from "./CommandLine.js"
import * as Place from "./Place.js"
import * as ServerFolder from "./ServerFolder.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Tokens.js"

const isName = Schema.is(TokenText.Name)

/** The name of a new or an existing token. */
export const read = (text: string): Effect.Effect<TokenText.Name, InvalidInput> =>
  isName(text)
    ? Effect.succeed(text)
    : new InvalidInput({ field: "NAME", limit: Texts.nameForm, actual: TerminalText.short(text, 80) })

/** The folder with the tokens of this host's server. */
export const folderOf = (given: Pick<Values<"data" | "database">, "value">) =>
  Effect.flatMap(Place.of(given), (place) => Effect.map(ServerFolder.of(given, place), ({ path }) => path))
