import { Effect } from "effect"
import { openApi } from "../../http/Document.js"
import { Screen } from "../terminal/Screen.js"
import * as TerminalText from "../terminal/TerminalText.js"

/** Prints the document. */
export const run = () =>
  Effect.flatMap(Screen, (screen) => screen.write(`${TerminalText.block(JSON.stringify(openApi(), null, 2))}\n`))
