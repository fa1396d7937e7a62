/** How long the page of `skein serve` takes to show a long session, in a real browser. */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import * as PageLink from "../../src/adapters/server/access/PageLink.js"
import * as TokenText from "../../src/adapters/server/access/TokenText.js"
import * as Server from "../../src/adapters/server/Server.js"
import { Gateway } from "../../src/index.js"
import * as Chromium from "../support/browser/Chromium.js"
import * as Measure from "./Measure.js"
import * as Raw from "./Raw.js"
import type { Row } from "./Row.js"
import * as Watching from "./Watching.js"

const rounds = 9

/**
 * Opens a session and waits until its rows and lanes are shown, and until it is live. Returns the milliseconds of both.
 */
const shown = (sessionId: string) => `new Promise((done) => {
  const from = performance.now()
  let rows = null
  location.hash = "#/${sessionId}"
  const look = () => {
    if (document.querySelector(".lane") && document.querySelector(".row")) rows ??= performance.now() - from
    if (rows !== null && document.querySelector(".badge.is-live")) return done([rows, performance.now() - from])
    requestAnimationFrame(look)
  }
  look()
})`

/** The page of a session whose run made `calls` calls, from its link in the list until its rows and lanes are shown. */
export const page = (calls: number, aim: string): Promise<Row> =>
  Watching.withLongSession(calls, (run, { cursor, sessionId }) =>
    run(
      Effect.gen(function* () {
        const gateway = yield* Gateway.Gateway
        const scope = yield* Scope.make()
        const folder = Raw.folder()
        const { url } = Context.get(
          yield* Layer.buildWithScope(
            Server.layer(
              { host: "127.0.0.1", port: 0, socket: null, folder, root: "/", newSession: {} },
              Layer.succeed(Gateway.Gateway, gateway)
            ),
            scope
          ),
          Server.Server
        )
        const browser = yield* Effect.provideService(Chromium.launched, Scope.Scope, scope)
        const once = yield* PageLink.code(folder, TokenText.local, "1 minute")
        const times = yield* Effect.promise(async () => {
          const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
          await page.goto(`${url}/#code=${once}`)
          await page.waitForSelector(".session")
          const all: Array<readonly [rows: number, live: number]> = []
          for (let round = 0; round < rounds; round++) {
            all.push(await page.evaluate<readonly [number, number]>(shown(sessionId)))
            await page.evaluate(`location.hash = "#/"`)
            await page.waitForSelector(".open.alone")
          }
          return all
        })
        yield* Scope.close(scope, Exit.void)
        Raw.remove(folder)
        const first = times[0]?.[0] ?? 0
        const rows = Measure.median(times.map(([rows]) => rows))
        const live = Measure.median(times.map(([, live]) => live))
        return {
          name: `the page of a session of ${cursor} events, in Chromium, until its rows are there, until it is live`,
          value: `${rows.toFixed(0)} ms, ${live.toFixed(0)} ms (the first time ${first.toFixed(0)} ms)`,
          aim,
          numbers: { rows, live, first }
        }
      })
    )
  )
