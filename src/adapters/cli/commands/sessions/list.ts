/** `skein sessions list`. */
import { Command, Options } from "@effect/cli"
import { Path } from "@effect/platform"
import { Effect, Option, Schema } from "effect"
import { Session } from "../../../../domain/Session.js"
import { InvalidInput } from "../../../../domain/SkeinError.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import type { SessionPage } from "../../../../services/storage/Storage.js"
import * as Arguments from "../../Arguments.js"
import * as Engine from "../../Engine.js"
import { Screen } from "../../terminal/Screen.js"
import * as SessionTable from "../../SessionTable.js"
import * as TerminalText from "../../terminal/TerminalText.js"

const encode = Schema.encodeSync(Schema.parseJson(Session))

/** Sessions a page at most. */
const page = 500

export const list = Command.make(
  "list",
  {
    workdir: Options.text("workdir").pipe(
      Options.withPseudoName("DIR"),
      Options.withDescription("Only sessions of this folder"),
      Options.optional
    ),
    title: Options.text("title").pipe(
      Options.withPseudoName("TEXT"),
      Options.withDescription("Only sessions whose title contains this"),
      Options.optional
    ),
    limit: Options.integer("limit").pipe(
      Options.withPseudoName("COUNT"),
      Options.withDescription("How many at most; the newest come first"),
      Options.withDefault(50)
    ),
    json: Arguments.json,
    data: Arguments.data
  },
  Effect.fn("sessions.list")(function* ({ data, json, limit, title, workdir }) {
    if (limit < 1) return yield* new InvalidInput({ field: "--limit", limit: "1 or more", actual: `${limit}` })
    const path = yield* Path.Path
    const screen = yield* Screen
    const filter = {
      ...(Option.isNone(workdir) ? {} : { workdir: path.resolve(workdir.value) }),
      ...(Option.isNone(title) ? {} : { title: title.value })
    }
    yield* Effect.gen(function* () {
      const gateway = yield* Gateway
      const sessions: Array<Session> = []
      let next: number | null = 0
      let total = 0
      while (next !== null && sessions.length < limit) {
        const found: SessionPage = yield* gateway.list({
          ...filter,
          limit: Math.min(page, limit - sessions.length),
          ...(next === 0 ? {} : { after: next })
        })
        sessions.push(...found.sessions)
        for (const damage of found.damaged) yield* screen.writeError(`skein: ${TerminalText.line(damage.message)}\n`)
        next = found.next
        total = found.total
      }
      yield* screen.write(
        json
          ? sessions.map((session) => `${TerminalText.json(encode(session))}\n`).join("")
          : SessionTable.render(screen.ansi, sessions, total)
      )
    }).pipe(Effect.provide(Engine.layerWithoutRuns(data)))
  })
).pipe(Command.withDescription("List sessions"))
