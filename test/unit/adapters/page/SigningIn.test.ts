/** Signing in and out of the page where answers are late, are lost, or come to another tab. */
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { another, at, choosing, gateAt, live, painted, visit, world, World } from "./visiting.js"

const run = world()

const field = (page: Page) => page.getByLabel("Message", { exact: true })
const code = (page: Page) => page.getByLabel("Or paste the link")
const failure = (page: Page) => page.locator(".sign-in [role=alert]").allInnerTexts()
/** What the browser logs of requests that were refused or cut off. */
const allowed = /status of 401|net::ERR_/

/** The server does not know the sign-in any more. */
const expire = async (page: Page) => {
  await page.route(
    /\/v1\/sessions\?/,
    (route) => route.fulfill({ status: 401, json: { _tag: "Unauthorized", message: "no" } }),
    { times: 1 }
  )
  await page.getByLabel("Search titles").fill("a search")
  await page.getByText("You are not signed in").waitFor()
}

/** A page of a browser of its own, in which somebody has just signed in. */
const signedIn = Effect.gen(function* () {
  const { code } = yield* World
  const page = yield* visit(`#code=${yield* code}`, { as: yield* another, allowed })
  yield* Effect.promise(() => page.locator(".sessions").waitFor())
  return page
})

Chromium.describe("signing in", () => {
  it(
    "takes a code once, however often its button is pressed",
    run(
      Effect.gen(function* () {
        const world = yield* World
        const page = yield* visit("", { as: yield* another, allowed })
        const given = yield* world.code
        yield* Effect.promise(async () => {
          await code(page).fill(given)
          const open = await gateAt(page, /\/login$/)
          let asked = 0
          page.on("request", (request) => (asked += request.url().endsWith("/login") ? 1 : 0))
          await page.evaluate(`(() => {
            const button = [...document.querySelectorAll("button")].find(({ innerText }) => innerText === "Sign in")
            button.click()
            button.click()
          })()`)
          open()
          await page.locator(".sessions").waitFor()
          expect(asked).toBe(1)
        })
      })
    )
  )

  it(
    "again finds what was written, although the server could not be reached in the meantime",
    run(
      Effect.gen(function* () {
        const { code: newCode, session } = yield* World
        const made = yield* session({ title: "Unreached" })
        const page = yield* signedIn
        const again = yield* newCode
        yield* Effect.promise(async () => {
          await choosing(page, "Unreached")
          await live(page)
          await field(page).fill("a long text")
          await expire(page)
          await page.route(/\/me$/, (route) => route.abort(), { times: 1 })
          const failed = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/me"))
          await page.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`)
          await failed
          await painted(page)
          await code(page).fill(again)
          await page.getByRole("button", { name: "Sign in" }).click()
          await page.locator(".sessions").waitFor()
          await page.evaluate(`location.hash = "${at(made)}"`)
          await live(page)
          expect(await field(page).inputValue()).toBe("a long text")
        })
      })
    )
  )

  it(
    "says nothing of a link that was used up, or a sign-out that failed, before the sign-in that has expired",
    run(
      Effect.gen(function* () {
        const page = yield* signedIn
        yield* Effect.promise(async () => {
          const refused = page.waitForResponse(/\/login$/)
          await page.evaluate(`location.hash = "#code=used"`)
          expect((await refused).status()).toBe(401)
          await page.locator(".sessions").waitFor()
          await expire(page)
          expect(await failure(page)).toEqual([])
        })
      })
    )
  )
})

Chromium.describe("signing out", () => {
  it(
    "signs the other tabs out, too",
    run(
      Effect.gen(function* () {
        const { code: newCode, session } = yield* World
        const made = yield* session({ title: "In both tabs" })
        const as = yield* another
        const one = yield* visit(`#code=${yield* newCode}`, { as, allowed })
        yield* Effect.promise(() => choosing(one, "In both tabs"))
        const other = yield* visit(at(made), { as, allowed })
        yield* Effect.promise(async () => {
          await live(other)
          // Without the streams of a tab that is in sight, which would be refused: as in one that is hidden.
          await other.route(/\/(hints|events)/, (route) => route.abort())
          await one.getByRole("button", { name: "Sign out" }).click()
          await other.getByText("You are not signed in").waitFor()
          expect(await other.locator(".transcript").count()).toBe(0)
        })
      })
    )
  )

  it(
    "that fails late leaves what is typed, and says so",
    run(
      Effect.gen(function* () {
        const page = yield* signedIn
        yield* Effect.promise(async () => {
          let fail = () => {}
          const failing = new Promise<void>((resolve) => (fail = resolve))
          await page.route(/\/logout$/, async (route) => {
            await failing
            await route.abort()
          })
          await page.getByRole("button", { name: "Sign out" }).click()
          await code(page).fill("half of a co")
          fail()
          await page.getByText("You may still be signed in").waitFor()
          expect(await code(page).inputValue()).toBe("half of a co")
          expect(await page.evaluate("document.activeElement.tagName")).toBe("INPUT")
        })
      })
    )
  )
})
