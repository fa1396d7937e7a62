/** The list of sessions: it is there for all that a person does at once, says what it cannot load, and its fields can be seen. */
import { Effect } from "effect"
import { ScriptedModel } from "skein/scripted-model"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { at, live, send, shell, visit, world, World } from "./visiting.js"

const run = world()

/** The least contrast of fields' borders with what is on both sides of them. */
const contrasts = `(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number)
  const light = (color) => {
    const [r, g, b] = parts(color).map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }
  const ground = (element) => {
    const { backgroundColor } = getComputedStyle(element)
    return parts(backgroundColor)[3] === 0 ? ground(element.parentElement) : backgroundColor
  }
  const fields = document.querySelectorAll("input:not([hidden]):not([type=checkbox]), select, textarea")
  return [...fields].map((field) => {
    const { borderTopColor } = getComputedStyle(field)
    return Math.min(ratio(borderTopColor, ground(field)), ratio(borderTopColor, ground(field.parentElement)))
  })
})()`

Chromium.describe("the list of sessions", () => {
  it(
    "follows a link, and knows its keys, from the moment in which the list is there",
    run(
      Effect.gen(function* () {
        const { known, session } = yield* World
        const made = yield* session({ title: "Linked at once" })
        const page = yield* visit("", {
          as: known,
          early: `new MutationObserver((_, observer) => {
            if (document.querySelector(".sessions") === null) return
            observer.disconnect()
            document.dispatchEvent(new KeyboardEvent("keydown", { key: "?" }))
            location.hash = "${at(made)}"
          }).observe(document, { childList: true, subtree: true })`
        })
        yield* Effect.promise(async () => {
          await page.getByRole("dialog").getByRole("heading", { name: "Keyboard" }).waitFor()
          await page.getByRole("heading", { name: "Linked at once" }).waitFor()
        })
      })
    )
  )

  it(
    "says when more of it cannot be loaded, and loads it later",
    run(
      Effect.gen(function* () {
        const { gateway } = yield* World
        for (let n = 0; n < 51; n++) yield* gateway.create({ title: `Session ${n}` })
        const page = yield* visit("", { allowed: /net::ERR_/ })
        yield* Effect.promise(async () => {
          const failure = page.getByText("No more sessions could be loaded. The server cannot be reached")
          await page.route(/sessions\?.*after=/, (route) => route.abort())
          await page.getByRole("button", { name: "Show more" }).click()
          await failure.waitFor()
          await page.unrouteAll()
          // It also loads more when it is scrolled into view, which a click does first.
          await page.getByRole("button", { name: "Show more" }).dispatchEvent("click")
          await page.getByRole("link", { name: "Session 0" }).waitFor()
          await failure.waitFor({ state: "detached" })
        })
      })
    )
  )

  it(
    "and a session have fields whose borders have a contrast of 3:1, light and dark",
    run(
      Effect.gen(function* () {
        const { model, session } = yield* World
        const made = yield* session({ title: "Seen" })
        yield* model.play({ calls: [ScriptedModel.call(shell, { command: "ls" })] })
        const page = yield* visit(at(made))
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await page.getByRole("button", { name: "Deny…" }).click()
          await page.getByRole("button", { name: "New" }).click()
          await page.getByRole("dialog").getByLabel("Title", { exact: true }).waitFor()
          for (const colorScheme of ["light", "dark"] as const) {
            await page.emulateMedia({ colorScheme })
            const all = await page.evaluate<ReadonlyArray<number>>(contrasts)
            expect(all.length).toBeGreaterThan(6)
            expect(Math.min(...all)).toBeGreaterThanOrEqual(3)
          }
        })
      })
    )
  )

  it(
    "stays beside a session that is not there, which the middle of the page says",
    run(
      Effect.gen(function* () {
        const page = yield* visit("#/ses_nobody", { allowed: /status of 404/ })
        yield* Effect.promise(async () => {
          const said = page.getByText("There is no such session")
          await said.waitFor()
          await page.locator(".sessions").waitFor()
          for (const width of [1280, 900, 400]) {
            await page.setViewportSize({ width, height: 800 })
            const [words, around] = await Promise.all([said.boundingBox(), page.getByRole("main").boundingBox()])
            const middleOf = (box: typeof words) => Math.round((box?.x ?? NaN) + (box?.width ?? NaN) / 2)
            expect(middleOf(words)).toBe(middleOf(around))
          }
        })
      })
    )
  )
})
