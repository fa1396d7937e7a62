import * as Path from "@effect/platform/Path"
import { Effect, Schema } from "effect"
import { SessionActivity } from "../../../../domain/SessionActivity.js"
import { ListedSession, type SessionPage } from "../../../../domain/SessionPage.js"
import { InvalidInput } from "../../../../domain/SkeinError.js"
import { Gateway } from "../../../../services/gateway/Gateway.js"
import type { ValuesOf } from "../../CommandLine.js"
import * as Engine from "../../Engine.js"
import { Screen } from "../../terminal/Screen.js"
import * as SessionTable from "../../SessionTable.js"
import * as TerminalText from "../../terminal/TerminalText.js"
import type * as Commands from "../../texts/Commands.js"
import * as WholeNumber from "../../WholeNumber.js"

const encode = Schema.encodeSync(Schema.parseJson(ListedSession))

const defaultLimit = 50

/** The most sessions per page. */
const page = 500

const limitOf = (text: string | null): Effect.Effect<number, InvalidInput> =>
  text === null
    ? Effect.succeed(defaultLimit)
    : WholeNumber.read(text, { field: "--limit", digits: 9, limit: "must be a whole number, 1 or more" })

const isState = Schema.is(SessionActivity)

/** States as they are typed, with commas between them. */
const statesOf = (text: string): Effect.Effect<ReadonlyArray<SessionActivity>, InvalidInput> =>
  Effect.forEach(text.split(","), (word) => {
    const state = word.trim()
    return isState(state)
      ? Effect.succeed(state)
      : new InvalidInput({
          field: "--state",
          limit: `must be ${SessionActivity.literals.join(", ")}, or several of them with commas`,
          actual: TerminalText.short(state, 80)
        })
  })

export const run = Effect.fn("sessions.list")(function* (given: ValuesOf<typeof Commands.list>) {
  const limit = yield* limitOf(given.value("limit"))
  const path = yield* Path.Path
  const screen = yield* Screen
  const [workdir, title, states] = [given.value("workdir"), given.value("title"), given.value("state")]
  const filter = {
    ...(workdir === null ? {} : { workdir: path.resolve(workdir) }),
    ...(title === null ? {} : { title }),
    ...(states === null ? {} : { activity: yield* statesOf(states) }),
    ...(given.has("recent") ? { order: "activity" as const } : {})
  }
  yield* Effect.gen(function* () {
    const gateway = yield* Gateway
    const sessions: Array<ListedSession> = []
    let next: SessionPage["next"] | undefined
    let total = 0
    while (next !== null && sessions.length < limit) {
      const found: SessionPage = yield* gateway.sessions({
        ...filter,
        limit: Math.min(page, limit - sessions.length),
        // Shown below the table, and the same on every page.
        total: sessions.length === 0 && !given.has("json"),
        after: next
      })
      sessions.push(...found.sessions)
      for (const damage of found.damaged) yield* screen.writeError(`skein: ${TerminalText.line(damage.message)}\n`)
      next = found.next
      total = found.total ?? total
    }
    yield* screen.write(
      given.has("json")
        ? sessions.map((session) => `${TerminalText.json(encode(session))}\n`).join("")
        : SessionTable.render(screen.ansi, sessions, total, process.stdout.isTTY ? yield* screen.columns : null)
    )
  }).pipe(Effect.provide(Engine.layerForReading(given)))
})
