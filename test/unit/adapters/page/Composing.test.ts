/**
 * Writing messages: nothing that a person writes or attaches is lost, whatever else is shown and however late or never
 * answers come.
 */
import { Effect } from "effect"
import type { Page, Route } from "playwright-core"
import { ScriptedModel } from "skein/scripted-model"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import {
  another,
  at,
  choosing,
  drawn,
  gateAt,
  live,
  look,
  opens,
  send,
  stopClock,
  visit,
  world,
  World
} from "./visiting.js"

const run = world()

const field = (page: Page) => page.getByLabel("Message", { exact: true })
const attached = (page: Page) => page.locator(".attached li").allInnerTexts()
const uploading = (page: Page, name: string) => page.getByRole("progressbar", { name: `Uploading ${name}` })
/** No message is on its way. */
const idle = (page: Page) => page.getByText("Enter sends").waitFor()
const note = { name: "note.txt", mimeType: "text/plain", buffer: Buffer.from("a note") }

/** The server gets the next request to an address, and its answer is lost. */
const losingAnswer = (page: Page, path: RegExp) =>
  page.route(
    path,
    async (route: Route) => {
      await route.fetch()
      await route.abort()
    },
    { times: 1 }
  )

/** The next message is refused. */
const busyOnce = (page: Page) =>
  page.route(/\/messages$/, (route) => route.fulfill({ status: 409, json: { _tag: "SessionBusy", message: "busy" } }), {
    times: 1
  })

Chromium.describe("the message field", () => {
  it(
    "leaves a file alone that a stored message may have, and deletes the one of a message that was refused",
    run(
      Effect.gen(function* () {
        const { gateway, model, session } = yield* World
        const made = yield* session({ title: "Taken out" })
        yield* model.play({ text: "one" })
        const page = yield* visit(at(made), { allowed: /net::ERR_|status of 409/ })
        const remove = page.getByRole("button", { name: "Remove note.txt" })
        const deletions: Array<string> = []
        page.on("request", (request) => {
          if (request.method() === "DELETE") deletions.push(request.url())
        })
        const deleted = () => page.waitForResponse((answer) => answer.request().method() === "DELETE")
        yield* Effect.promise(async () => {
          await live(page)
          await page.locator("input[type=file]").setInputFiles(note)
          await remove.waitFor()
          await losingAnswer(page, /\/messages$/)
          await send(page, "see this")
          await page.getByText("The server cannot be reached").waitFor()
          await remove.click()
          await remove.waitFor({ state: "detached" })
          expect(deletions).toEqual([])
          await busyOnce(page)
          await page.locator("input[type=file]").setInputFiles(note)
          await remove.waitFor()
          await send(page, "and this")
          await page.getByText("busy", { exact: true }).waitFor()
          await Promise.all([deleted(), remove.click()])
        })
        expect((yield* gateway.assets(made.id)).length).toBe(1)
      })
    )
  )

  it(
    "keeps what is written and attached while a message is being sent, and takes that back if it cannot be sent",
    run(
      Effect.gen(function* () {
        const { lines, model, session } = yield* World
        const made = yield* session({ title: "Typed ahead" })
        yield* model.play({ text: "one" }, { text: "two" })
        const page = yield* visit(at(made), { allowed: /net::ERR_|status of 503/ })
        yield* Effect.promise(async () => {
          await live(page)
          const open = await gateAt(page, /\/messages$/)
          await send(page, "first")
          await page.getByText("Sending “first”").waitFor()
          await page.keyboard.type("second")
          await page.locator("input[type=file]").setInputFiles(note)
          await page.getByRole("button", { name: "Remove note.txt" }).waitFor()
          open()
          await page.getByText("one", { exact: true }).waitFor()
          await idle(page)
          expect(await field(page).inputValue()).toBe("second")
          expect(await attached(page)).toEqual(["note.txt✕"])
          await page.unrouteAll()
          let refuse = () => {}
          const refused = new Promise<void>((resolve) => (refuse = resolve))
          await page.route(
            /\/messages$/,
            async (route) => {
              await refused
              await route.fulfill({ status: 503, json: { _tag: "Stopping", message: "The server stops" } })
            },
            { times: 1 }
          )
          await field(page).press("Enter")
          await page.getByText("Sending “second”").waitFor()
          await page.keyboard.type("and third")
          refuse()
          await page.getByText("The server stops").waitFor()
          expect(await field(page).inputValue()).toBe("second\n\nand third")
          expect(await attached(page)).toEqual(["note.txt✕"])
          await field(page).press("Enter")
          await page.getByText("two", { exact: true }).waitFor()
          await idle(page)
          expect(await field(page).inputValue()).toBe("")
          expect(await attached(page)).toEqual([])
        })
        expect(yield* lines(made.id)).toEqual([
          "user: first",
          "assistant: one",
          "user: second\n\nand third[file]",
          "assistant: two"
        ])
      })
    )
  )

  it(
    "keeps a message and its upload while other sessions are shown",
    run(
      Effect.gen(function* () {
        const { session } = yield* World
        const made = yield* session({ title: "Written in part" })
        yield* session({ title: "Looked at" })
        const page = yield* visit(at(made))
        yield* Effect.promise(async () => {
          await live(page)
          const open = await gateAt(page, /\/assets\?/)
          await field(page).fill("See the file")
          await page.locator("input[type=file]").setInputFiles(note)
          await uploading(page, "note.txt").waitFor()
          await choosing(page, "Looked at")
          expect(await field(page).inputValue()).toBe("")
          await choosing(page, "Written in part")
          await uploading(page, "note.txt").waitFor()
          await field(page).fill("See the file, all of it")
          open()
          await page.getByRole("button", { name: "Remove note.txt" }).waitFor()
          await choosing(page, "Looked at")
          await choosing(page, "Written in part")
          expect(await field(page).inputValue()).toBe("See the file, all of it")
          expect(await attached(page)).toEqual(["note.txt✕"])
        })
      })
    )
  )

  it(
    "sends a message again after a lost answer: stored once as it was, and a changed one as another message",
    run(
      Effect.gen(function* () {
        const { lines, model, session } = yield* World
        const made = yield* session({ title: "Answer lost" })
        yield* model.play({ text: "one" }, { text: "two" }, { text: "three" })
        const page = yield* visit(at(made), { allowed: /net::ERR_|status of 409/ })
        yield* Effect.promise(async () => {
          await live(page)
          for (const [text, again, reply] of [
            ["as it was", "as it was", "one"],
            ["delete it", "do not delete it", "three"]
          ] as const) {
            await losingAnswer(page, /\/messages$/)
            await send(page, text)
            await page.getByText("The server cannot be reached").waitFor()
            expect(await field(page).inputValue()).toBe(text)
            // What is refused now may have been stored before.
            await busyOnce(page)
            await send(page, text)
            await page.getByText("busy", { exact: true }).waitFor()
            await send(page, again)
            await page.getByText("busy", { exact: true }).waitFor({ state: "detached" })
            await page.getByText(reply, { exact: true }).waitFor()
            await idle(page)
            expect(await field(page).inputValue()).toBe("")
          }
        })
        expect(yield* lines(made.id)).toEqual([
          "user: as it was",
          "assistant: one",
          "user: delete it",
          "assistant: two",
          "user: do not delete it",
          "assistant: three"
        ])
      })
    )
  )

  it(
    "removes one file, and withdraws one message, by a double-click",
    run(
      Effect.gen(function* () {
        const { gateway, model, session } = yield* World
        const made = yield* session({ title: "Clicked twice" })
        yield* model.play({ calls: [ScriptedModel.call(look, { at: "twice" })] })
        const page = yield* visit(at(made))
        const button = (name: string) => page.getByRole("button", { name, disabled: false })
        const doubleClick = async (box: string, left: string) => {
          await stopClock(page)
          const target = await page.locator(`${box} button`).first().boundingBox()
          const { x, y } = target ?? { x: 0, y: 0 }
          await page.mouse.click(x + 4, y + 4)
          await drawn(page, () => page.getByText(left).first().isVisible())
          await page.mouse.click(x + 4, y + 4)
          await page.clock.resume()
        }
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await page.locator(".lane.running").waitFor()
          for (const [text, waiting] of [
            ["look again", "One message is"],
            ["then\nwrite it", "2 messages are"],
            [`and ${"so on ".repeat(20)}`, "3 messages are"]
          ] as const) {
            await send(page, text)
            await page.getByText(`${waiting} waiting`).waitFor()
          }
          await button("Withdraw “look again”").waitFor()
          await button("Withdraw “and so on so on so on so on so on so on…”").waitFor()
          await doubleClick(".queue", "2 messages are waiting")
          await button("Withdraw “then write it”").waitFor()
          await page.locator("input[type=file]").setInputFiles(["a", "b", "c"].map((name) => ({ ...note, name })))
          await button("Remove c").waitFor()
          await doubleClick(".attached", "b✕")
          await button("Remove c").waitFor()
          expect(await attached(page)).toEqual(["b✕", "c✕"])
        })
        expect(new Set((yield* gateway.assets(made.id)).map(({ name }) => name))).toEqual(new Set(["b", "c"]))
        expect((yield* gateway.snapshot(made.id)).queued).toHaveLength(2)
        yield* opens("twice")
      })
    )
  )

  it(
    "forgets what was written when the person signs out, in all tabs, and keeps it where a sign-in expires for them alone",
    run(
      Effect.gen(function* () {
        const { code, codeOf, origin, session } = yield* World
        const made = yield* session({ title: "Private plans" })
        const codes = [yield* code, yield* code, yield* code, yield* code, yield* codeOf("ben"), yield* code]
        const as = yield* another
        const page = yield* visit(`#code=${codes[0]}`, { as, allowed: /status of 401/ })
        const other = yield* visit("", { as, allowed: /status of 401|ERR_INCOMPLETE_CHUNKED/ })
        const expire = async () => {
          await page.route(/\/v1\/sessions\?/, (route) =>
            route.fulfill({ status: 401, json: { _tag: "Unauthorized", message: "Valid credentials are required" } })
          )
          await page.getByLabel("Search titles").fill("Private")
        }
        yield* Effect.promise(async () => {
          await choosing(page, "Private plans")
          await choosing(other, "Private plans")
          await live(other)
          await field(other).fill("another secret")
          const signOut = () => page.getByRole("button", { name: "Sign out" }).click()
          const pasted = async (code = "") => {
            await page.getByLabel("Or paste the link").fill(code)
            await page.getByRole("button", { name: "Sign in" }).click()
          }
          const opened = (code = "") => page.goto(`${origin}/#code=${code}`)
          const elsewhere = async (code = "") => {
            await other.goto(`${origin}/#code=${code}`)
            await other.locator(".sessions").waitFor()
            await page.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`)
          }
          for (const [leave, enter, code, isKept] of [
            [signOut, pasted, codes[1], false],
            [expire, pasted, codes[2], true],
            [expire, opened, codes[3], true],
            [expire, elsewhere, codes[4], false],
            [expire, elsewhere, codes[5], false]
          ] as const) {
            await live(page)
            await field(page).fill("a secret")
            if (!(await attached(page)).includes("note.txt✕")) {
              await page.locator("input[type=file]").setInputFiles(note)
              await page.getByRole("button", { name: "Remove note.txt" }).waitFor()
            }
            await leave()
            await page.getByText("You are not signed in").waitFor()
            expect(await page.title()).toBe("Skein")
            await page.unrouteAll()
            if (leave === signOut) await other.getByText("You are not signed in").waitFor()
            await enter(code)
            await page.locator(".sessions").waitFor()
            await page.evaluate(`location.hash = "#/${made.id}"`)
            await live(page)
            expect([code, await field(page).inputValue()]).toEqual([code, isKept ? "a secret" : ""])
            expect(await attached(page)).toEqual(isKept ? ["note.txt✕"] : [])
            if (leave !== signOut) continue
            // The other tab belongs to the same person again, and has nothing to keep.
            await other.evaluate(`location.hash = "#/"`)
            await other.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`)
            await other.locator(".sessions").waitFor()
            await choosing(other, "Private plans")
            await live(other)
            expect(await field(other).inputValue()).toBe("")
          }
        })
      })
    )
  )

  it(
    "takes files that are dropped anywhere on the session, and the page stays where files cannot be dropped",
    run(
      Effect.gen(function* () {
        const { session } = yield* World
        const made = yield* session({ title: "Dropped on" })
        const page = yield* visit(at(made))
        /** Whether the page, and not the browser, decides what happens to a file over an element. */
        const drop = (over: string) =>
          page.evaluate<ReadonlyArray<boolean>>(`["dragover", "drop"].map((name) => {
            const dataTransfer = new DataTransfer()
            dataTransfer.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }))
            const event = new DragEvent(name, { bubbles: true, cancelable: true, dataTransfer })
            document.querySelector("${over}").dispatchEvent(event)
            return event.defaultPrevented
          })`)
        yield* Effect.promise(async () => {
          await live(page)
          expect(await drop(".transcript")).toEqual([true, true])
          await page.getByRole("button", { name: "Remove dropped.txt" }).waitFor()
          expect(await drop(".sessions")).toEqual([true, true])
          expect(await attached(page)).toEqual(["dropped.txt✕"])
        })
      })
    )
  )
})
