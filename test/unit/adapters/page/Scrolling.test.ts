/** Scrolling in long sessions: whatever the wheel passes comes into sight once, in order, and a link shows its place. */
import { Effect } from "effect"
import { Message } from "skein"
import type { Page } from "playwright-core"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { at, live, visit, world, World } from "./visiting.js"

const run = world()

/** Notes, on each frame, the numbers of what is in sight in a box, and which have been since they were forgotten. */
const watching = (page: Page, box: string, numbers: string) =>
  page.evaluate(`{
    const box = document.querySelector(${JSON.stringify(box)})
    window.seen = new Set()
    const look = () => {
      const { bottom, top } = box.getBoundingClientRect()
      const inSight = [...box.querySelectorAll(${JSON.stringify(numbers)})].filter((element) => {
        const own = element.getBoundingClientRect()
        return own.bottom > top && own.top < bottom
      })
      const now = inSight.map((element) => element.textContent.replace("#", ""))
      for (const number of now) seen.add(Number(number))
      box.dataset.sight = now.join(" ")
      requestAnimationFrame(look)
    }
    look()
  }`)

const inSight = (page: Page, box: string, number: number) =>
  page.locator(`${box}[data-sight~="${number}"]`).waitFor({ state: "attached" })

/** Turns the wheel over a box until a number is in sight; returns all numbers that were. */
const wheeling = async (page: Page, box: string, pixels: number, until: number) => {
  await page.locator(box).hover()
  await page.evaluate("seen.clear()")
  while (!(await page.evaluate<boolean>(`seen.has(${until})`))) {
    // Nothing scrolls, and so no scrolling ends, where the box is at its end: the number is in sight with the next frame.
    await page.evaluate(`{
      const box = document.querySelector("${box}")
      let isOver = false
      window.scrolled = new Promise((done) => {
        const end = () => {
          isOver = true
          done()
        }
        box.addEventListener("scrollend", end, { once: true })
        const look = () => {
          const left = ${pixels} < 0 ? box.scrollTop : box.scrollHeight - box.clientHeight - box.scrollTop
          if (left < 1) end()
          else if (!isOver) requestAnimationFrame(look)
        }
        requestAnimationFrame(look)
      })
      null
    }`)
    await page.mouse.wheel(0, pixels)
    await page.evaluate("scrolled")
  }
  return page.evaluate<ReadonlyArray<number>>("[...seen].sort((a, b) => a - b)")
}

const usage = { inputTokens: 1, outputTokens: 1, reasoningTokens: null, cachedInputTokens: null }

/** A question and its answer, whose length differs from that of others. */
const turn = (n: number) => [
  Message.userText(`question ${n}`),
  {
    role: "assistant" as const,
    parts: [{ type: "text" as const, text: `answer ${n}${" and so on".repeat((n * 37) % 90)}` }],
    model: { provider: "script", model: "m" },
    finish: "stop" as const,
    usage
  }
]

const turns = 120

const numbersTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

const long = Effect.gen(function* () {
  const { gateway, session } = yield* World
  const made = yield* session({ title: "Long" })
  yield* gateway.append(made.id, numbersTo(turns).flatMap(turn))
  return made
})

Chromium.describe("a long session", () => {
  it(
    "is scrolled through with the wheel, up to its first message and down to its last",
    run(
      Effect.gen(function* () {
        const page = yield* visit(at(yield* long))
        yield* Effect.promise(async () => {
          await live(page)
          await page.getByText(`answer ${turns} `).waitFor()
          await watching(page, ".transcript", ".slot .place")
          expect(await wheeling(page, ".transcript", -450, 1)).toEqual(numbersTo(2 * turns))
          expect(await wheeling(page, ".transcript", 450, 2 * turns)).toEqual(numbersTo(2 * turns))
        })
      })
    )
  )

  it(
    "is linked into: a place, and then another, is what is in sight",
    run(
      Effect.gen(function* () {
        const { origin } = yield* World
        const made = yield* long
        const page = yield* visit(`${at(made)}/50`)
        yield* Effect.promise(async () => {
          await live(page)
          await watching(page, ".transcript", ".slot .place")
          for (const place of [50, 151, 7]) {
            await page.goto(`${origin}/${at(made)}/${place}`)
            await page.locator(".slot.goal .place", { hasText: new RegExp(`^${place}$`) }).waitFor()
            await inSight(page, ".transcript", place)
          }
        })
      })
    )
  )

  it(
    "has strands that are scrolled through with the wheel, and that lead to their places in the transcript",
    run(
      Effect.gen(function* () {
        const page = yield* visit(at(yield* long))
        const steps = numbersTo(turns).map((n) => 2 * n)
        yield* Effect.promise(async () => {
          await live(page)
          await page.locator(".lanes .number", { hasText: `#${2 * turns}` }).waitFor()
          await watching(page, ".lanes", ".number")
          expect(await wheeling(page, ".lanes", -450, 2)).toEqual(steps)
          expect(await wheeling(page, ".lanes", 450, 2 * turns)).toEqual(steps)
          await wheeling(page, ".lanes", -450, 100)
          await page.locator(".lanes .step", { hasText: "#100" }).click()
          await watching(page, ".transcript", ".slot .place")
          await inSight(page, ".transcript", 100)
        })
      })
    )
  )
})
