/**
 * The page in a real browser: what a person does with it, what happens when connections are cut, and what hostile texts
 * cannot do to it.
 */
import { Effect } from "effect"
import { Message } from "skein"
import { ScriptedModel } from "skein/scripted-model"
import { readFile } from "node:fs/promises"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import {
  another,
  at,
  audit,
  choose,
  choosing,
  dot,
  gateAt,
  live,
  look,
  opens,
  send,
  shell,
  visit,
  world,
  World
} from "./visiting.js"

const run = world()

Chromium.describe("the page", () => {
  it(
    "signs in with a one-time code; creates, renames, finds and deletes sessions, and shows those of others",
    run(
      Effect.gen(function* () {
        const { code, gateway, origin } = yield* World
        const once = yield* code
        const later = yield* code
        const page = yield* visit(`#code=${once}`, { as: yield* another, allowed: /status of 422/ })
        const stranger = yield* visit("", { as: yield* another, allowed: /status of 401/ })
        yield* Effect.promise(async () => {
          await page.waitForSelector(".sessions")
          expect(page.url()).toBe(`${origin}/#/`)
          await stranger.goto(`${origin}/#code=${once}`)
          await stranger.waitForURL(`${origin}/#/`)
          await stranger.getByText("You are not signed in").waitFor()
          expect(stranger.url()).toBe(`${origin}/#/`)
          await page.getByRole("button", { name: "New" }).click()
          await page.getByLabel("Title", { exact: true }).fill("By hand")
          await page.getByRole("combobox", { name: "Model" }).selectOption("script/other")
          await page.getByRole("combobox", { name: "Agent" }).selectOption("agent")
          await page.getByRole("combobox", { name: "Effort" }).selectOption("low")
          await audit(page)
          await page.getByRole("button", { name: "Create" }).click()
          await page.getByRole("heading", { name: "By hand" }).waitFor()
          await page.getByRole("button", { name: "agent · script/other" }).waitFor()
          await page.getByRole("link", { name: "By hand" }).getByText("other").waitFor()
        })
        yield* gateway.create({ title: "Elsewhere made" })
        yield* Effect.promise(async () => {
          await choosing(page, "Elsewhere made")
          await live(page)
          await page.getByRole("link", { name: "Elsewhere made" }).getByText("queue").waitFor()
          await page.keyboard.press("s")
          await page.getByLabel("Title", { exact: true }).fill("Renamed here")
          const model = page.getByRole("combobox", { name: "Model" })
          expect(await model.locator("option").allInnerTexts()).toEqual([
            "The agent's default (script/queue)",
            "script/queue ($3 in, $15 out)",
            "script/other",
            "Other…"
          ])
          await model.selectOption("Other…")
          await audit(page)
          await page.getByRole("textbox", { name: "Model" }).fill("no model")
          await page.keyboard.press("Enter")
          await page.getByRole("dialog").getByRole("alert").waitFor()
          await page.getByRole("textbox", { name: "Model" }).fill("script/unlisted")
          await page.getByRole("button", { name: "Save" }).click()
          await page.getByRole("heading", { name: "Renamed here" }).waitFor()
          await page.getByRole("link", { name: "Renamed here" }).getByText("unlisted").waitFor()
          await page.getByLabel("Search titles").fill("RENAMED")
          await page.getByRole("link", { name: "By hand" }).waitFor({ state: "detached" })
          await page.getByLabel("More").click()
          await page.getByRole("button", { name: "Delete…" }).click()
          await page.getByRole("button", { name: "Delete", exact: true }).click()
          await page.getByText("No title contains “RENAMED”").waitFor()
          expect(page.url()).toBe(`${origin}/#/`)
          await page.getByRole("button", { name: "Sign out" }).click()
          await page.getByText("You are not signed in").waitFor()
          await audit(page)
          await page.goto(`${origin}/#code=${later}`)
          await page.getByRole("link", { name: "By hand" }).waitFor()
        })
        const { sessions } = yield* gateway.sessions()
        const model = { provider: "script", model: "other", options: { reasoningEffort: "low" } }
        expect(sessions).toMatchObject([{ title: "By hand", model }])
      })
    )
  )

  it(
    "saves of a session's settings those that the person changed, whatever others changed in the meantime",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Before" })
        const page = yield* visit(at(made))
        const dialog = page.getByRole("dialog")
        const elsewhere = { provider: "script", model: "elsewhere" }
        yield* Effect.promise(async () => {
          await live(page)
          await page.keyboard.press("s")
          await dialog.getByRole("combobox", { name: "Effort" }).selectOption("low")
        })
        yield* gateway.patch({ sessionId: made.id, title: "Renamed elsewhere", model: elsewhere })
        yield* Effect.promise(async () => {
          await page.getByRole("heading", { name: "Renamed elsewhere", includeHidden: true }).waitFor()
          expect(await dialog.getByLabel("Title", { exact: true }).inputValue()).toBe("Renamed elsewhere")
          expect(await dialog.getByRole("textbox", { name: "Model" }).inputValue()).toBe("script/elsewhere")
          await dialog.getByRole("button", { name: "Save" }).click()
          await dialog.waitFor({ state: "detached" })
        })
        const saved = { title: "Renamed elsewhere", model: { ...elsewhere, options: { reasoningEffort: "low" } } }
        expect(yield* gateway.session(made.id)).toMatchObject(saved)
      })
    )
  )

  it(
    "shows a run live, its strands in both orders, and questions that are answered once for all pages",
    run(
      Effect.gen(function* () {
        const { gateway, lines, model, rules, session } = yield* World
        const made = yield* session({ title: "A run" })
        yield* model.play(
          {
            reasoning: "Three at once.",
            text: "I **look**.",
            calls: [
              ScriptedModel.call(look, { at: "a" }),
              ScriptedModel.call(look, { at: "b" }),
              ScriptedModel.call(shell, { command: "echo \u202Eevil" })
            ],
            usage: { inputTokens: 1200, outputTokens: 34 }
          },
          { text: "All done.", usage: { inputTokens: 1300, outputTokens: 5 } }
        )
        const page = yield* visit(at(made))
        const other = yield* visit(at(made))
        yield* Effect.promise(async () => {
          await live(page)
          await live(other)
          await send(page, "Look around, then run it")
          await page.locator(".row.assistant strong", { hasText: "look" }).waitFor()
          await page.locator(".lane.running").nth(1).waitFor()
          await page.locator(".lane.asked").waitFor()
        })
        // One of the two pages has the stream of hints, and informs the other.
        yield* gateway.create({ title: "While it ran" })
        yield* Effect.promise(async () => {
          for (const one of [page, other]) await one.getByRole("link", { name: "While it ran" }).waitFor()
        })
        yield* opens("b")
        yield* Effect.promise(async () => {
          const finished = page.locator(".lane.finished")
          await finished.waitFor()
          expect(await finished.innerText()).toMatch(/#4[^]*Look at b[^]*→1/)
          await page.getByRole("button", { name: "completion" }).click()
          expect(await page.locator(".lane .number").allInnerTexts()).toEqual(["#4", "#3", "#5"])
          await finished.hover()
          await page.locator(".row.call.hovered", { hasText: "saw b" }).waitFor()
          await page.locator(".row.call", { hasText: "Look at a" }).hover()
          await page.locator(".lane.hovered", { hasText: "Look at a" }).waitFor()
          await audit(page)
          await page.emulateMedia({ colorScheme: "dark" })
          await audit(page, "color-contrast")
          await other.reload()
          await live(other)
          expect(await other.locator(".question pre").innerText()).toBe("echo U+202Eevil")
          await other.locator(".question").getByText("Deny…").click()
          await other.getByLabel("Reason for the denial").fill("not today")
          await other.getByRole("button", { name: "Deny", exact: true }).click()
          await page.locator(".question").waitFor({ state: "detached" })
          await page.locator(".row.call.denied").waitFor()
        })
        yield* opens("a")
        yield* Effect.promise(async () => {
          await page.getByText("All done.").waitFor()
          await page.locator(".lane", { hasText: "#3" }).getByText("→3").waitFor()
          expect(await page.locator(".totals").innerText()).toMatch(/2\s+calls\s+3[^]*2\.5k \/ 39\s+cost\s+\$0\.008/)
          expect(await page.locator(".step .figures").first().innerText()).toContain("$0.004")
          await page.getByRole("link", { name: "A run" }).getByText("$0.008").waitFor()
          await page.locator(".session.of-idle", { hasText: "A run" }).waitFor()
        })
        const [result] = yield* gateway.runs({ sessionId: made.id })
        expect(result?.stopReason).toBe("completed")
        const test = { calls: [ScriptedModel.call(shell, { command: "npm test" })] }
        yield* model.play(test, test, { text: "Tested twice." })
        const pattern = "shell: npm test"
        yield* Effect.promise(async () => {
          await send(page, "Test it twice")
          await page.getByRole("button", { name: `Always: ${pattern}`, exact: true }).click()
          await page.getByText("Tested twice.").waitFor()
          expect(await page.locator(".lane.finished", { hasText: "npm test" }).count()).toBe(2)
        })
        expect(yield* rules.of(made)).toEqual([{ word: "allow", pattern }])
        yield* model.play({ calls: [ScriptedModel.call(choose, {})] }, { text: "Chosen." })
        yield* Effect.promise(async () => {
          await send(page, "Choose one")
          const card = page.getByRole("article", { name: "Question from files" })
          expect(await card.locator("p").first().innerText()).toBe("Which U+202Eone? <b>x</b>")
          await card.getByLabel("Path").fill("a.txt")
          await card.getByLabel("As").selectOption("Zip")
          await audit(page)
          await card.getByRole("button", { name: "Answer" }).click()
          await page.getByText("Chosen.").waitFor()
        })
        const values = { path: "a.txt", count: 3, deep: false, as: "z" }
        expect((yield* lines(made.id)).at(-2)).toBe(`choose success: ${JSON.stringify({ _tag: "Given", values })}`)
      })
    )
  )

  it(
    "recovers from a cut in a run with nothing missing or doubled; then queues, withdraws, stops and resumes",
    run(
      Effect.gen(function* () {
        const { cut, model, session } = yield* World
        const made = yield* session({ title: "Cut" })
        yield* model.play(
          { text: "one", calls: [ScriptedModel.call(look, { at: "c" }), ScriptedModel.call(look, { at: "d" })] },
          { text: "two", calls: [ScriptedModel.call(look, { at: "e" })] }
        )
        const page = yield* visit(at(made), { allowed: /net::ERR_/ })
        yield* Effect.promise(async () => {
          await live(page)
          await send(page, "go")
          await page.locator(".lane.running").nth(1).waitFor()
        })
        yield* cut
        yield* opens("d")
        yield* opens("c")
        yield* Effect.promise(async () => {
          await page.waitForSelector(".badge.is-reconnecting")
          await live(page)
          await page.locator(".lane.running", { hasText: "Look at e" }).waitFor()
          expect(await page.locator(".row .place").allInnerTexts()).toEqual(["1", "2", "3", "4", "5", "6"])
          await send(page, "and then this")
          await page.getByText("One message is waiting").waitFor()
          await page.getByRole("button", { name: "Withdraw" }).click()
          await page.getByText("One message is waiting").waitFor({ state: "detached" })
          await page.getByRole("button", { name: "Stop" }).click()
          await page.locator(".row.ended", { hasText: "Cancelled" }).waitFor()
          await page.locator(".lane.interrupted").waitFor()
        })
        yield* model.play({ text: "on again" })
        yield* Effect.promise(async () => {
          await page.getByRole("button", { name: "Resume" }).click()
          await page.getByText("on again").waitFor()
          await page.locator(".row.ended").waitFor({ state: "detached" })
        })
      })
    )
  )

  it(
    "says that it is old once the server that comes back has another page",
    run(
      Effect.gen(function* () {
        const { cut, session } = yield* World
        const made = yield* session({ title: "Upgraded" })
        const page = yield* visit(at(made), { allowed: /net::ERR_/ })
        const notice = page.getByRole("status").filter({ hasText: "Skein has been upgraded" })
        yield* Effect.promise(() => live(page))
        yield* cut
        yield* Effect.promise(async () => {
          await page.waitForSelector(".badge.is-reconnecting")
          await live(page)
          expect(await notice.count()).toBe(0)
          await page.route(/\/$/, async (route) => {
            const document = await (await route.fetch()).text()
            await route.fulfill({ contentType: "text/html", body: document.replace(/main-\w+\.js/, "main-OTHER.js") })
          })
        })
        yield* cut
        yield* Effect.promise(async () => {
          await notice.waitFor()
          await audit(page)
          await page.unroute(/\/$/)
          await notice.getByRole("button", { name: "Reload" }).click()
          await live(page)
          expect(await notice.count()).toBe(0)
        })
      })
    )
  )

  it(
    "attaches and shows files, saves a transcript, and reloads when events are no longer kept",
    run(
      Effect.gen(function* () {
        const { model, session } = yield* World
        yield* session({ title: "With files" })
        yield* model.play({ text: "A dot, I see." })
        const page = yield* visit("")
        let gaps = 0
        yield* Effect.promise(async () => {
          await page.route(/events\?after=/, (route) =>
            gaps++ === 0
              ? route.fulfill({
                  contentType: "text/event-stream",
                  body: `event: reload\ndata: {"oldest":1,"newest":2}\n\n`
                })
              : route.continue()
          )
          await choosing(page, "With files")
          await live(page)
          expect(gaps).toBe(2)
          const file = { name: "dot.png", mimeType: "image/png", buffer: Buffer.from(dot, "base64") }
          const arrive = await gateAt(page, /\/assets/)
          await page.locator("input[type=file]").setInputFiles(file)
          await page.getByRole("progressbar", { name: "Uploading dot.png" }).waitFor()
          // A message that is sent before the file has arrived takes the file with it.
          await send(page, "What is this?")
          arrive()
          await page.getByText("A dot, I see.").waitFor()
          await page.locator(".row.user").getByRole("button", { name: "View" }).click()
          await page.locator("img.asset").waitFor()
          expect(await page.evaluate(`document.querySelector("img.asset").decode().then(() => "shown")`)).toBe("shown")
          await page.getByLabel("More").click()
          const saved = page.waitForEvent("download")
          await page.getByRole("button", { name: "Markdown" }).click()
          const download = await saved
          expect(download.suggestedFilename()).toBe("With-files.md")
          expect(await readFile(await download.path(), "utf8")).toMatch(
            /^# With files\n\n## 1\. User \(local\)\n\nWhat is this\?\n\nFile: dot\.png[^]*A dot, I see\.\n$/
          )
          await page.getByLabel("More").click()
          await page.keyboard.press("Escape")
          await page.getByRole("button", { name: "Files" }).waitFor({ state: "hidden" })
          await page.getByLabel("More").click()
          await page.getByRole("button", { name: "Files" }).click()
          await page.getByRole("dialog").getByText("dot.png").waitFor()
        })
      })
    )
  )

  it(
    "shows hostile texts as text: nothing in them runs, loads or opens",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const evil = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`
        const made = yield* session({ title: `${evil} \u202Egnp.exe` })
        const markdown = [
          evil,
          "[click](javascript:window.pwned=1) [data](data:text/html,x) [good](https://example.org/a) [rel](/v1/sessions)",
          "![pixel](https://evil.example/p.png)",
          "<svg onload=alert(1)>",
          "[".repeat(5000)
        ].join("\n\n")
        yield* gateway.append(made.id, [
          Message.userText(`${evil}\u001b]0;title\u0007\u202E`),
          {
            role: "assistant",
            parts: [
              { type: "text", text: markdown },
              { type: "call", callId: "x", name: "shell<b>", input: `{"command":"${"\\u202e"}rm"}` }
            ],
            model: { provider: "evil", model: evil },
            finish: "tool-calls",
            usage: { inputTokens: 1, outputTokens: 1, reasoningTokens: null, cachedInputTokens: null }
          },
          { role: "tool", callId: "x", name: "shell<b>", outcome: "failure", text: `${evil}\u001b[2J` }
        ])
        const page = yield* visit(at(made))
        yield* Effect.promise(async () => {
          await live(page)
          await page.locator(".row.call .head").click()
          await page.locator(".row.call .output").waitFor()
          expect(await page.evaluate("window.pwned ?? null")).toBe(null)
          expect(await page.locator("#page img, #page script, #page iframe, .row svg:not(.mark)").count()).toBe(0)
          expect(await page.evaluate(`[...document.querySelectorAll(".markdown a")].map((a) => a.href)`)).toEqual([
            "https://example.org/a",
            "https://evil.example/p.png"
          ])
          expect(await page.locator(".row.user").innerText()).toContain(`${evil}ESC]0;titleU+0007U+202E`)
          expect(await page.locator(".row.call .input").innerText()).toContain("U+202Erm")
          expect(await page.locator(".row.call .output").innerText()).toContain("ESC[2J")
        })
      })
    )
  )

  it(
    "mounts only the visible ones of thousands of rows; keys jump, filters narrow, links lead to places",
    run(
      Effect.gen(function* () {
        const { gateway, origin, session } = yield* World
        const made = yield* session({ title: "Long" })
        const usage = { inputTokens: 10, outputTokens: 1, reasoningTokens: null, cachedInputTokens: null }
        const turn = (n: number) => {
          const ids = [0, 1, 2, 3].map((k) => `c${n}-${k}`)
          return [
            Message.userText(`turn ${n}`),
            {
              role: "assistant" as const,
              parts: [
                { type: "text" as const, text: `step ${n}\n\n- one\n- two` },
                ...ids.map((callId) => ({ type: "call" as const, callId, name: "look", input: `{"at":"${callId}"}` }))
              ],
              model: { provider: "script", model: "m" },
              finish: "tool-calls" as const,
              usage
            },
            ...ids.map((callId) => ({
              role: "tool" as const,
              callId,
              name: "look",
              outcome: callId === "c7-2" ? ("failure" as const) : ("success" as const),
              text: `result ${callId}`
            }))
          ]
        }
        for (let n = 0; n < 300; n += 50) {
          yield* gateway.append(made.id, Array.from({ length: 50 }, (_, k) => turn(n + k)).flat())
        }
        const big = "a line of a long text\n".repeat(100_000)
        const heavy = yield* session({ title: "Heavy" })
        yield* gateway.append(heavy.id, [Message.userText(big), Message.userText("the end")])
        const page = yield* visit(at(made))
        yield* Effect.promise(async () => {
          await live(page)
          await page.getByText("step 299").waitFor()
          expect(await page.locator(".slot").count()).toBeLessThan(60)
          expect(await page.locator(".lane").count()).toBeLessThan(60)
          // The person scrolls, and before the scroll event arrives something new is drawn, as happens while a model
          // writes.
          await page.evaluate(`{
            const choice = document.querySelector(".filter select")
            document.querySelector(".transcript").scrollTop = 0
            choice.value = "messages"
            choice.dispatchEvent(new Event("change", { bubbles: true }))
          }`)
          await page.getByText("step 0").waitFor()
          await page.getByLabel("Filter by kind").selectOption("all")
          await page.getByRole("button", { name: "↓ end" }).click()
          await page.getByText("step 299").waitFor()
          await page.keyboard.press("e")
          await page.locator(".row.call.failed", { hasText: "c7-2" }).waitFor()
          await page.keyboard.press("t")
          await page.getByText("turn 8", { exact: true }).waitFor()
          await page.goto(`${origin}/${at(made)}/601`)
          await page.getByText("turn 100", { exact: true }).waitFor()
          await page.keyboard.press("f")
          await page.keyboard.type("c123-1")
          await page.getByText("1 of 1800").waitFor()
          await page.keyboard.press("Escape")
          await page.keyboard.press("?")
          await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor()
          await audit(page)
          await page.keyboard.press("Escape")
          await choosing(page, "Heavy")
          await page.getByText("the end", { exact: true }).waitFor()
          const shown = () => page.evaluate("document.body.innerText.length")
          expect(await shown()).toBeLessThan(10_000)
          await page.getByRole("button", { name: "more lines" }).click()
          await page.getByText("The first 200k of 2.2M characters are shown").waitFor()
          expect(await shown()).toBeLessThan(210_000)
          const saved = page.waitForEvent("download")
          await page.getByRole("button", { name: "Save all" }).click()
          expect(await readFile(await (await saved).path(), "utf8")).toBe(big)
          await audit(page)
        })
      })
    )
  )
})
