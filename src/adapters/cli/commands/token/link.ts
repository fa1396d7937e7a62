/**
 * Prints a link that signs a browser in to the page of the newest server that is running and has one. It is the only
 * line on stdout.
 */
import { Effect, Layer } from "effect"
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
    const { path, running } = yield* ServerFolder.of(given, yield* Place.of(given))
    const servers = yield* Discovery.find(running, yield* Version)
    const page = servers.find((server) => server.page !== null)?.page ?? null
    if (page === null) return yield* new ServerMissing({ hasAddress: servers.length === 0 })
    const code = yield* PageLink.code(path, name, `${Texts.linkMinutes} minutes`)
    yield* screen.write(`${PageLink.of(page, code)}\n`)
    yield* screen.writeError(`skein: ${Texts.linked(name)}\n`)
  },
  Effect.provide(Layer.fresh(Identity.layer))
)
