/** Answers that come late, when what they belong to has changed: the page shows what is true by then. */
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { Message } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import {
  at,
  drawn,
  gateAt,
  lateAnswerAt,
  live,
  look,
  opens,
  painted,
  send,
  shell,
  stopClock,
  visit,
  world,
  World
} from "./visiting.js"

const run = world()

const notFound = { status: 404, json: { _tag: "SessionNotFound", message: "no" } }

/** The first stream of a session tells the page to load it again. */
const reloading = (page: Page) =>
  page.route(
    /\/events\?after=/,
    (route) =>
      route.fulfill({
        status: 200,
        headers: { "content-type": "text/event-stream" },
        body: `event: reload\ndata: {"oldest":1,"newest":1}\n\n`
      }),
    { times: 1 }
  )

/** Scrolls a transcript up until its first message is there. */
const toFirst = async (page: Page) => {
  const isThere = `(() => {
    document.querySelector(".transcript").scrollTop = 0
    return [...document.querySelectorAll(".row")].some(({ innerText }) => /^question 1$/m.test(innerText))
  })()`
  while (!(await page.evaluate<boolean>(isThere))) await painted(page)
}

Chromium.describe("late answers", () => {
  it(
    "never leave a session's rows waiting that was loaded again meanwhile",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Loaded again" })
        const questions = Array.from({ length: 500 }, (_, index) => Message.userText(`question ${index + 1}`))
        yield* gateway.append(made.id, questions)
        const page = yield* visit("", { allowed: /status of 4/ })
        yield* Effect.promise(async () => {
          const open = await gateAt(page, /\/timeline$/)
          await page.route(/\/timeline$/, (route) => route.continue(), { times: 1 })
          await reloading(page)
          await page.evaluate(`location.hash = "${at(made)}"`)
          await page.locator(".badge.is-gap").waitFor()
          await toFirst(page)
          open()
          await live(page)
          await toFirst(page)
        })
      })
    )
  )

  it(
    "never bring a deleted session back into the list",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Ghost" })
        const page = yield* visit("")
        const other = yield* visit("")
        const links = (of: Page) => of.getByRole("link", { name: "Ghost" })
        const found = yield* Effect.promise(async () => {
          await links(other).waitFor()
          await links(page).waitFor()
          const late = await lateAnswerAt(page, /\/v1\/sessions\?/)
          await page.getByLabel("Search titles").fill("Gho")
          await late.answered
          return late
        })
        yield* gateway.delete(made.id)
        yield* Effect.promise(async () => {
          await links(other).waitFor({ state: "detached" })
          await found.arrive()
          await page.getByText("No title contains").waitFor()
          expect(await links(page).count()).toBe(0)
        })
      })
    )
  )

  it(
    "are asked for once, however often the end of the list comes into sight",
    run(
      Effect.gen(function* () {
        const { gateway } = yield* World
        yield* Effect.forEach(Array.from({ length: 60 }), (_, index) => gateway.create({ title: `many ${index}` }))
        const page = yield* visit("")
        yield* Effect.promise(async () => {
          await page.getByRole("button", { name: "Show more" }).waitFor()
          const open = await gateAt(page, /\/v1\/sessions\?.*after=/)
          let asked = 0
          page.on("request", (request) => (asked += request.url().includes("after=") ? 1 : 0))
          await page.evaluate(`(() => {
            const list = document.querySelector(".sessions ul")
            list.scrollTop = list.scrollHeight
            for (let count = 0; count < 3; count++) list.dispatchEvent(new Event("scroll"))
          })()`)
          await painted(page)
          open()
          await page.locator(".session .title", { hasText: /^many 1$/ }).waitFor()
          expect(asked).toBe(1)
        })
      })
    )
  )

  it(
    "take a session away that is gone when it is loaded again, with its question and what its tab says",
    run(
      Effect.gen(function* () {
        const { model, session } = yield* World
        const made = yield* session({ title: "Asks" })
        yield* model.play({ calls: [ScriptedModel.call(shell, { command: "x" })] })
        const early = `Object.defineProperty(document, "visibilityState", { get: () => window.is ?? "visible" })`
        const page = yield* visit(at(made), { allowed: /status of 404/, early })
        const show = (is: "hidden" | "visible") =>
          page.evaluate(`window.is = "${is}"; document.dispatchEvent(new Event("visibilitychange")); null`)
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await page.locator(".question").first().waitFor()
          expect(await page.title()).toBe("? Asks")
          await reloading(page)
          await page.route(/\/snapshot$/, (route) => route.fulfill(notFound))
          await show("hidden")
          await show("visible")
          await page.getByText("This session was deleted").waitFor()
          expect(await page.locator(".question").count()).toBe(0)
          expect(await page.title()).toBe("Asks · Skein")
        })
      })
    )
  )
})

Chromium.describe("a lane", () => {
  it(
    "shows its call while it is pointed at by keyboard, and no longer",
    run(
      Effect.gen(function* () {
        const { model, session } = yield* World
        const made = yield* session({ title: "Lanes" })
        yield* model.play({ calls: [ScriptedModel.call(look, { at: "x" })] }, { text: "done" })
        yield* opens("x")
        const page = yield* visit(at(made))
        const opened = () => page.locator(".row.call .opened").count()
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await page.getByText("done", { exact: true }).waitFor()
          await stopClock(page)
          await page.locator(".step").first().focus()
          await page.keyboard.press("Tab")
          await drawn(page, async () => (await opened()) === 1)
          await page.getByLabel("Filter by text").focus()
          await drawn(page, async () => (await opened()) === 0)
          // The time that a lane waits before it shows its call, as it leaves.
          await page.locator(".step").first().focus()
          await page.keyboard.press("Tab")
          await page.evaluate(`location.hash = "#/"`)
          await page.clock.runFor(1000)
          await page.evaluate(`location.hash = "${at(made)}"`)
          await drawn(page, async () => (await page.locator(".row.call").count()) === 1)
          expect(await opened()).toBe(0)
        })
      })
    )
  )
})
