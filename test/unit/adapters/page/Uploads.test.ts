/** Attaching files: what cannot be attached is said as it is, before it is sent where that is possible, and uploads can be stopped. */
import { Effect, Stream } from "effect"
import type { Page } from "playwright-core"
import { expect, it } from "vitest"
import { mkdir, rm, truncate, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Chromium from "../../../support/browser/Browser.js"
import { folder } from "../../services/storage/disk.js"
import { at, dot, gateAt, lateAnswerAt, live, visit, world, World } from "./visiting.js"

const run = world()

const attached = (page: Page) => page.locator(".attached li").allInnerTexts()
const choose = (page: Page, ...files: ReadonlyArray<string>) =>
  page.locator("input[type=file]").setInputFiles([...files])
const uploading = (page: Page, name: string) => page.getByRole("progressbar", { name: `Uploading ${name}` })
const failure = (page: Page) => page.locator(".composer [role=alert]").innerText()

/** Holds uploads back until it is opened. */
const held = (page: Page) => gateAt(page, /\/assets\?/)

const files = Effect.gen(function* () {
  const inside = yield* folder
  const named = (name: string) => join(inside, name)
  yield* Effect.promise(async () => {
    await writeFile(named("a.txt"), "a")
    await writeFile(named("b.txt"), "b")
    await writeFile(named("large.bin"), "")
    await truncate(named("large.bin"), 64 * 1024 * 1024 + 1)
    await mkdir(named("pictures"))
  })
  return named
})

Chromium.describe("an upload", () => {
  it(
    "is not begun for a file that is too large, is stopped by its button, and lets the next one go on",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const named = yield* files
        const made = yield* session({ title: "Uploads" })
        const page = yield* visit(at(made))
        const sent: Array<string> = []
        page.on("request", (request) => {
          if (request.method() === "PUT") sent.push(new URL(request.url()).searchParams.get("name") ?? "")
        })
        yield* Effect.promise(async () => {
          await live(page)
          const open = await held(page)
          await choose(page, named("large.bin"), named("a.txt"), named("b.txt"))
          await uploading(page, "b.txt").waitFor()
          expect(await failure(page)).toBe("large.bin is larger than 64 MiB, the most that a file may have.")
          expect(await attached(page)).toEqual(["a.txt✕", "b.txt✕"])
          await page.getByRole("button", { name: "Stop uploading a.txt" }).click()
          await uploading(page, "a.txt").waitFor({ state: "detached" })
          open()
          await page.getByRole("button", { name: "Remove b.txt" }).waitFor()
          expect(await attached(page)).toEqual(["b.txt✕"])
          expect(sent).toEqual(["a.txt", "b.txt"])
        })
        expect((yield* gateway.assets(made.id)).map(({ name }) => name)).toEqual(["b.txt"])
      })
    )
  )

  it(
    "that ends while the session's files are read is in their list, whichever answer comes last",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Listed files" })
        const save = (name: string) =>
          gateway.saveAsset({ sessionId: made.id, name, mediaType: "text/plain", content: Stream.empty })
        yield* save("first.txt")
        const page = yield* visit(at(made))
        const dialog = page.getByRole("dialog")
        const first = yield* Effect.promise(async () => {
          await live(page)
          const late = await lateAnswerAt(page, /\/assets$/)
          await page.getByLabel("More").click()
          await page.getByRole("button", { name: "Files" }).click()
          await late.answered
          return late
        })
        yield* save("second.txt")
        yield* Effect.promise(async () => {
          await dialog.locator(".file").nth(1).waitFor()
          await first.arrive()
          expect(await dialog.locator(".file").count()).toBe(2)
        })
      })
    )
  )

  it(
    "that fails says why: a file that is gone, a folder, other content than its type, a limit that the page did not know",
    run(
      Effect.gen(function* () {
        const { session } = yield* World
        const named = yield* files
        const made = yield* session({ title: "Failed uploads" })
        const page = yield* visit(at(made), { allowed: /net::ERR_|status of 4/ })
        yield* Effect.promise(async () => {
          await live(page)
          const open = await held(page)
          await choose(page, named("a.txt"), named("b.txt"))
          await uploading(page, "b.txt").waitFor()
          await rm(named("b.txt"))
          open()
          await page.getByText("b.txt cannot be read").waitFor()
          expect(await failure(page)).toBe("b.txt cannot be read. It may be a folder, or have been changed or removed.")
          expect(await attached(page)).toEqual(["a.txt✕"])
          const box = await page.locator(".transcript").boundingBox()
          const devtools = await page.context().newCDPSession(page)
          const data = { items: [], files: [named("pictures")], dragOperationsMask: 1 }
          for (const type of ["dragEnter", "dragOver", "drop"] as const) {
            await devtools.send("Input.dispatchDragEvent", { type, x: (box?.x ?? 0) + 9, y: (box?.y ?? 0) + 9, data })
          }
          await page.getByText("pictures is a folder").waitFor()
          expect(await failure(page)).toBe("pictures is a folder. Only files can be attached.")
          await page.locator("input[type=file]").setInputFiles([
            { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("not a picture") },
            { name: "dot.gif", mimeType: "image/gif", buffer: Buffer.from(dot, "base64") }
          ])
          await page.getByText("dot.gif cannot").waitFor()
          expect(await failure(page)).toBe(
            "broken.png cannot be attached: expected content of type image/png, got other content.\n" +
              "dot.gif cannot be attached: expected content of type image/gif, got image/png."
          )
          await page.route(/\/assets\?/, (route) =>
            route.fulfill({ status: 413, json: { _tag: "BodyTooLarge", message: "body: at most 67108864 bytes" } })
          )
          await choose(page, named("a.txt"))
          await page.getByText("64 MiB").waitFor()
          expect(await failure(page)).toBe("a.txt is larger than 64 MiB, the most that a file may have.")
          expect(await attached(page)).toEqual(["a.txt✕"])
        })
      })
    )
  )
})
