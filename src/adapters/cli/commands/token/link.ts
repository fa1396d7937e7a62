/** Prints a link that signs a browser in to the page of the server that is running. It is the only line on stdout. */
import { Effect, Layer, Option } from "effect"
import * as Identity from "../../../node/Identity.js"
import * as PageLink from "../../../server/access/PageLink.js"
import * as TokenText from "../../../server/access/TokenText.js"
import * as Discovery from "../../../server/Discovery.js"
import type { ValuesOf } from "../../CommandLine.js"
import { ServerMissing } from "../../Failure.js"
import * as Place from "../../Place.js"
import * as ServerFolder from "../../ServerFolder.js"
import { Screen } from "../../terminal/Screen.js"
import type * as Commands from "../../texts/TokenCommands.js"
import * as Texts from "../../texts/Tokens.js"
import * as TokenName from "../../TokenName.js"
import { Version } from "../../Version.js"

export const run = Effect.fn("token.link")(
  function* (given: ValuesOf<typeof Commands.link>) {
    const screen = yield* Screen
    const name = yield* TokenName.read(given.argument(0) ?? TokenText.local)
    const { found, path } = yield* ServerFolder.of(given, yield* Place.of(given))
    const server = Option.getOrNull(yield* Discovery.find(found, yield* Version))
    if (server === null) return yield* new ServerMissing({ hasAddress: true })
    if (server.page === null) return yield* new ServerMissing({ hasAddress: false })
    const code = yield* PageLink.code(path, name, `${Texts.linkMinutes} minutes`)
    yield* screen.write(`${PageLink.of(server.page, code)}\n`)
    yield* screen.writeError(`skein: ${Texts.linked(name)}\n`)
  },
  Effect.provide(Layer.fresh(Identity.layer))
)
