/** What needs the whole transcript, exports and filters: it is complete, or the page says why not. */
import { Effect } from "effect"
import { Message } from "skein"
import type { Page, Route } from "playwright-core"
import { readFile } from "node:fs/promises"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { at, live, visit, world, World } from "./visiting.js"

const run = world()

const messages = 300

const long = Effect.gen(function* () {
  const { gateway, session } = yield* World
  const made = yield* session({ title: "Whole" })
  yield* gateway.append(
    made.id,
    Array.from({ length: messages }, (_, index) => Message.userText(`message ${index + 1}.`))
  )
  return made
})

const answers = {
  "a refusal": (route: Route) =>
    route.fulfill({ status: 503, json: { _tag: "Stopping", message: "The server is about to stop" } }),
  "half an answer": (route: Route) => route.fulfill({ status: 200, body: `[{"seq":1,` })
}

const words = {
  "a refusal": "The server is about to stop",
  "half an answer": "The server's answer was cut off"
}

/** Answers the next request for old entries. */
const answering = (page: Page, answer: keyof typeof answers, times?: number) =>
  page.route(/transcript\?from=1&/, answers[answer], times === undefined ? {} : { times })

const exporting = async (page: Page, form: string) => {
  await page.getByLabel("More").click()
  await page.getByRole("button", { name: `Export as ${form}` }).click()
}

Chromium.describe("the whole transcript", () => {
  it(
    "is exported, or nothing is saved and the page says why",
    run(
      Effect.gen(function* () {
        const page = yield* visit(at(yield* long), { allowed: /status of 503/ })
        const saved: Array<string> = []
        yield* Effect.promise(async () => {
          page.on("download", (download) => saved.push(download.suggestedFilename()))
          await live(page)
          for (const [form, answer, name] of [
            ["Markdown", "a refusal", "Whole.md"],
            ["JSON", "half an answer", "Whole.json"]
          ] as const) {
            await page.reload()
            await live(page)
            await answering(page, answer, 1)
            await exporting(page, form)
            await page.getByRole("alert").getByText(words[answer]).waitFor()
            const download = page.waitForEvent("download")
            await exporting(page, form)
            const text = await readFile(await (await download).path(), "utf8")
            expect(text.match(/message \d+\./g)).toHaveLength(messages)
            expect(saved.splice(0)).toEqual([name])
            await page.getByRole("alert").waitFor({ state: "detached" })
          }
        })
      })
    )
  )

  it(
    "is searched by a filter, or the page says why it was not",
    run(
      Effect.gen(function* () {
        const page = yield* visit(at(yield* long), { allowed: /status of 503/ })
        const filter = page.getByLabel("Filter by text")
        yield* Effect.promise(async () => {
          await live(page)
          await answering(page, "a refusal")
          await filter.fill("message 7.")
          await page.getByRole("alert").getByText("The server is about to stop").waitFor()
          expect(await page.getByText("Nothing here matches").count()).toBe(0)
          await page.unrouteAll()
          await filter.fill("message 77.")
          await page.getByText(`1 of ${messages}`).waitFor()
          await page.getByRole("alert").waitFor({ state: "detached" })
          await filter.fill("message 777.")
          await page.getByText("Nothing here matches").waitFor()
        })
      })
    )
  )
})
