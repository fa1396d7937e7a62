/** Questions on the page: what a person reads is what an answer is about, and all of it can be read. */
import { Effect } from "effect"
import type { Locator, Page } from "playwright-core"
import { ScriptedModel } from "skein/scripted-model"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { at, audit, choose, drawn, live, send, shell, stopClock, visit, world, World, write } from "./visiting.js"

const run = world()

const cards = (page: Page) => page.locator(".question")
const commands = (...all: ReadonlyArray<string>) => ({
  calls: all.map((command) => ScriptedModel.call(shell, { command }))
})

/** The middle of a card's first answer. */
const middleOf = async (page: Page, nth: number) => {
  const box = await cards(page).nth(nth).getByRole("button", { name: "Allow once" }).boundingBox()
  if (box === null) throw new Error("The answer is not in sight")
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
}

Chromium.describe("a question", () => {
  it(
    "takes no answer that was meant for the one before it, whoever answered that",
    run(
      Effect.gen(function* () {
        const { gateway, lines, model, session } = yield* World
        const made = yield* session({ title: "Four at once" })
        yield* model.play(commands("one", "two", "three", "four"), { text: "Done." })
        const page = yield* visit(at(made))
        const place = yield* Effect.promise(async () => {
          // So low that the cards scroll, and the next one moves to the place of one that goes.
          await page.setViewportSize({ width: 1280, height: 500 })
          await live(page)
          await send(page, "go")
          await cards(page).nth(3).waitFor()
          await page.evaluate(`document.querySelector(".questions").scrollTop = 0`)
          await page.getByRole("button", { name: "Allow once", disabled: false }).nth(3).waitFor()
          await stopClock(page)
          const { x, y } = await middleOf(page, 0)
          await page.mouse.click(x, y)
          await drawn(page, async () => (await cards(page).count()) === 3)
          expect(await middleOf(page, 0)).toEqual({ x, y })
          await page.mouse.click(x, y)
          await cards(page).first().getByRole("button", { name: "Allow once" }).focus()
          await page.keyboard.press("Enter")
          await page.clock.runFor(1000)
          return { x, y }
        })
        const [second] = yield* gateway.questions({ sessionId: made.id })
        expect(second?.input).toBe(`{"command":"two"}`)
        if (second !== undefined) yield* gateway.answer({ questionId: second.id, verdict: "allow-once" })
        yield* Effect.promise(async () => {
          await drawn(page, async () => (await cards(page).count()) === 2)
          await page.mouse.click(place.x, place.y)
          await page.clock.resume()
          for (const left of [1, 0]) {
            await cards(page).first().getByRole("button", { name: "Deny…" }).click()
            await page.getByLabel("Reason for the denial").fill("not this one")
            await page.getByRole("button", { name: "Deny", exact: true }).click()
            await cards(page).nth(left).waitFor({ state: "detached" })
          }
          await page.getByText("Done.").waitFor()
        })
        expect((yield* lines(made.id)).slice(2, 6)).toEqual([
          "shell success: ran one",
          "shell success: ran two",
          expect.stringMatching(/^shell denied: .*not this one/),
          expect.stringMatching(/^shell denied: .*not this one/)
        ])
      })
    )
  )

  it(
    "shows all of a long change, a part at a time, and how its lines end",
    run(
      Effect.gen(function* () {
        const { model, session } = yield* World
        const made = yield* session({ title: "Long change" })
        const content = Array.from({ length: 5000 }, (_, n) => `line ${n + 1}`).join("\n")
        yield* model.play({ calls: [ScriptedModel.call(write, { path: "long.txt", content })] }, { text: "Done." })
        const page = yield* visit(at(made))
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          const change = cards(page).getByRole("group", { name: "change" })
          await change.waitFor()
          expect(await change.innerText()).not.toContain("line 2001")
          await cards(page).getByRole("button", { name: "Show 3000 more lines" }).click()
          expect((await change.innerText()).trimEnd()).toMatch(/line 2001\n[^]*line 5000no newline at the end$/)
          expect(await cards(page).getByRole("button", { name: "more" }).count()).toBe(0)
          await cards(page).getByRole("button", { name: "Allow once" }).click()
          await page.getByText("Done.").waitFor()
        })
      })
    )
  )

  it(
    "has its answers and the beginning of its command in sight together, however long the command is",
    run(
      Effect.gen(function* () {
        const { model, session } = yield* World
        const made = yield* session({ title: "Long command" })
        yield* model.play(commands(`git commit --message '${"Nothing else is changed. ".repeat(12)}'`), {
          text: "Done."
        })
        const page = yield* visit(at(made))
        const boxOf = async (one: Locator) => (await one.boundingBox()) ?? expect.unreachable()
        const button = (name: string | RegExp) => boxOf(cards(page).getByRole("button", { name }))
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await cards(page)
            .getByRole("button", { name: /^Always/ })
            .waitFor()
          for (const width of [1280, 400]) {
            await page.setViewportSize({ width, height: 800 })
            await page.evaluate(`document.querySelector(".questions").scrollTop = 0`)
            const [command, deny] = [await boxOf(cards(page).locator("pre, code").first()), await button("Deny…")]
            expect(deny.y + deny.height).toBeLessThan(command.y)
            expect(command.y).toBeLessThan(760)
            expect((await button(/^Always/)).y).toBeGreaterThan(command.y)
          }
          await cards(page)
            .getByRole("button", { name: /^Always/ })
            .click()
          await page.getByText("Done.").waitFor()
        })
      })
    )
  )

  it(
    "fits into its pane, on wide and on narrow screens, however long its texts are",
    run(
      Effect.gen(function* () {
        const { model, session } = yield* World
        const made = yield* session({ title: "Long texts" })
        const words = `git commit --message '${"Nothing else is changed here. ".repeat(12)}' --author ${"x".repeat(300)}`
        yield* model.play({
          calls: [
            ScriptedModel.call(shell, { command: `${words} --amend` }),
            ScriptedModel.call(write, { path: `src/${"folder/".repeat(60)}${"n".repeat(200)}.ts`, content: words }),
            ScriptedModel.call(choose, {})
          ]
        })
        const page = yield* visit(at(made))
        /** How far texts and elements reach beyond the pane, in pixels. */
        const beyond = () =>
          page.evaluate<number>(`(() => {
            const pane = document.querySelector(".questions")
            const texts = document.createRange()
            texts.selectNodeContents(pane)
            const edges = [...pane.querySelectorAll("*"), texts].map((one) => one.getBoundingClientRect().right)
            const { right } = pane.getBoundingClientRect()
            return Math.max(0, pane.scrollWidth - pane.clientWidth, ...edges.map((edge) => edge - right))
          })()`)
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await cards(page).nth(2).waitFor()
          for (const width of [1280, 400]) {
            await page.setViewportSize({ width, height: 800 })
            expect(await beyond()).toBe(0)
            await cards(page).first().getByText("--amend").first().scrollIntoViewIfNeeded()
            await audit(page)
          }
        })
      })
    )
  )
})
