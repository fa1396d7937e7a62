/** The page without a mouse, and by ear: the focus is never lost, what comes is announced, and each view has its landmarks. */
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { ScriptedModel } from "skein/scripted-model"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { at, audit, drawn, gateAt, live, send, shell, stopClock, visit, world, World } from "./visiting.js"

const run = world()

/** What has the focus, by its text or name. */
const focused = (page: Page) =>
  page.evaluate<string>(`(({ ariaLabel, innerText, tagName }) =>
    tagName + " " + (ariaLabel ?? innerText).trim().slice(0, 40))(document.activeElement)`)

const two = {
  calls: ["one", "two"].map((command) => ScriptedModel.call(shell, { command }))
}

Chromium.describe("the page by keyboard", () => {
  it(
    "gives the focus back to what opened a dialog or a menu",
    run(
      Effect.gen(function* () {
        const { session } = yield* World
        const made = yield* session({ title: "Opened" })
        const page = yield* visit(at(made))
        const dialog = page.getByRole("dialog")
        const press = (...keys: ReadonlyArray<string>) =>
          keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve())
        yield* Effect.promise(async () => {
          await live(page)
          for (const leave of [() => press("Escape"), () => dialog.getByText("Cancel").press("Enter")]) {
            await page.getByRole("button", { name: "New" }).press("Enter")
            await dialog.getByLabel("Title", { exact: true }).waitFor()
            await leave()
            await dialog.waitFor({ state: "detached" })
            expect(await focused(page)).toBe("BUTTON New")
          }
          await page.getByLabel("More").press("Enter")
          await press("Tab", "Escape")
          await page.getByRole("button", { name: "Files" }).waitFor({ state: "hidden" })
          expect(await focused(page)).toBe("SUMMARY More")
          await page.getByLabel("More").press("Enter")
          await page.getByRole("button", { name: "Files" }).press("Enter")
          await dialog.getByText("no files").waitFor()
          await press("Escape")
          await dialog.waitFor({ state: "detached" })
          expect(await focused(page)).toBe("SUMMARY More")
        })
      })
    )
  )

  it(
    "closes the dialog that was left, and never the one that was opened after it",
    run(
      Effect.gen(function* () {
        const page = yield* visit("")
        const dialog = page.getByRole("dialog")
        const create = page.getByRole("button", { name: "New" })
        yield* Effect.promise(async () => {
          await create.click()
          await dialog.waitFor()
          // A busy browser's order: the second dialog is opened between the first one's end and the event that tells of it.
          const isSecondOpen = await page.evaluate<boolean>(`(async () => {
            const [create, first] = [[...document.querySelectorAll("button")].find(({ innerText }) => innerText === "New"), document.querySelector("dialog")]
            const rendered = async () => { for (let turn = 0; turn < 20; turn++) await null }
            const told = new Promise((resolve) => first.addEventListener("close", resolve))
            first.dispatchEvent(new Event("cancel", { cancelable: true }))
            await rendered()
            if (first.isConnected) throw new Error("the first dialog was not left")
            create.click()
            await told
            await rendered()
            return document.querySelector("dialog")?.open === true
          })()`)
          expect(isSecondOpen).toBe(true)
          const answer = await gateAt(page, /\/v1\/sessions$/, { times: 1 })
          await dialog.getByLabel("Title", { exact: true }).fill("Created late")
          await page.keyboard.press("Enter")
          await page.keyboard.press("Escape")
          await dialog.waitFor({ state: "detached" })
          await create.click()
          await dialog.getByLabel("Title", { exact: true }).fill("the next")
          const created = page.waitForResponse(/\/v1\/sessions$/)
          answer()
          await (await created).finished()
          await page.getByRole("link", { name: "Created late" }).waitFor()
          expect(await dialog.getByLabel("Title", { exact: true }).inputValue()).toBe("the next")
          expect(new URL(page.url()).hash).toBe("")
        })
      })
    )
  )

  it(
    "leads from an answered question to the next one, then to the message field, and a key held down answers one",
    run(
      Effect.gen(function* () {
        const { lines, model, session } = yield* World
        const made = yield* session({ title: "Answered" })
        yield* model.play(two, { text: "Done." })
        const page = yield* visit(at(made))
        const cards = page.locator(".question")
        const button = (name: string) => page.getByRole("button", { name, exact: true, disabled: false })
        yield* Effect.promise(async () => {
          await live(page)
          const announced = await page.getByRole("status").filter({ hasText: /^$/ }).elementHandle()
          await send(page, "go")
          await cards.nth(1).waitFor()
          expect(await announced?.textContent()).toMatch(/2 questions .*shell/)
          await button("Deny…").first().press("Enter")
          expect(await focused(page)).toBe("INPUT Reason for the denial")
          await button("Back").press("Enter")
          expect(await focused(page)).toBe("BUTTON Deny…")
          await button("Allow once").nth(1).waitFor()
          await stopClock(page)
          await button("Allow once").first().focus()
          await page.keyboard.down("Enter")
          await drawn(page, async () => (await cards.count()) === 1)
          expect(await focused(page)).toBe("BUTTON Allow once")
          await page.clock.runFor(1000)
          await page.keyboard.down("Enter")
          await page.keyboard.up("Enter")
          await page.clock.resume()
          await button("Deny…").press("Enter")
          await page.keyboard.type("not this one")
          await button("Deny").press("Enter")
          await page.getByText("Done.").waitFor()
          expect(await focused(page)).toBe("TEXTAREA Message")
          expect(await announced?.textContent()).toBe("")
        })
        expect((yield* lines(made.id)).slice(2, 4)).toEqual([
          "shell success: ran one",
          expect.stringMatching(/^shell denied/)
        ])
      })
    )
  )

  it(
    "keeps the focus where it is while a reason is written and where an answer from elsewhere takes a question away",
    run(
      Effect.gen(function* () {
        const { gateway, model, session } = yield* World
        const made = yield* session({ title: "Taken away" })
        yield* model.play(two, { text: "Done." })
        const page = yield* visit(at(made))
        const cards = page.locator(".question")
        const answered = Effect.flatMap(gateway.questions({ sessionId: made.id }), ([first]) =>
          first === undefined
            ? Effect.dieMessage("no question")
            : gateway.answer({ questionId: first.id, verdict: "allow-once" })
        )
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await cards.nth(1).getByRole("button", { name: "Deny…" }).click()
          await page.getByLabel("Message", { exact: true }).focus()
        })
        yield* answered
        yield* Effect.promise(async () => {
          await cards.nth(1).waitFor({ state: "detached" })
          expect(await focused(page)).toBe("TEXTAREA Message")
          await page.getByLabel("Reason for the denial").focus()
        })
        yield* answered
        yield* Effect.promise(async () => {
          await cards.waitFor({ state: "detached" })
          expect(await focused(page)).toMatch(/^SECTION/)
          await page.getByText("Done.").waitFor()
        })
      })
    )
  )

  it(
    "has one main landmark and one first heading, in the list and in a session, on wide and on narrow screens",
    run(
      Effect.gen(function* () {
        const { session } = yield* World
        const made = yield* session({ title: "Headed" })
        const page = yield* visit("")
        yield* Effect.promise(async () => {
          for (const width of [1280, 400]) {
            await page.setViewportSize({ width, height: 800 })
            await page.evaluate(`location.hash = "#/"`)
            await page.getByRole("link", { name: "Headed" }).waitFor()
            expect(await page.getByRole("heading", { level: 1 }).allInnerTexts()).toEqual(["Skein"])
            expect(await page.getByRole("main").count()).toBe(1)
            await audit(page)
            await page.evaluate(`location.hash = "${at(made)}"`)
            await live(page)
            expect(await page.getByRole("heading", { level: 1 }).allInnerTexts()).toEqual(["Headed"])
            expect(await page.getByRole("main").count()).toBe(1)
            await audit(page)
          }
        })
      })
    )
  )
})
