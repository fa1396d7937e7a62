/** Markdown on the page: lists, tables and references to characters are what they say. */
import { Effect } from "effect"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { at, live, patience, visit, world, World } from "./visiting.js"

const run = world()

const text = `0. zero
1. one

Then:

7. seven

| left | middle | right | none |
| :-- | :-: | --: | --- |
| a | b | 1 | c |

&#8212; &#x2014; &#0; &#xD800; &#x110000; &amp;#169; &#x202E; \`&#169;\`
[both](https://a.example/?a=1&amp;b=2) [neither](java&#115;cript:alert(1))
`

Chromium.describe("Markdown", () => {
  it(
    "has the numbers of its lists, the alignment of its columns, and the characters of its references",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Marked" })
        yield* gateway.append(made.id, [
          {
            role: "assistant",
            parts: [{ type: "text", text }],
            model: { provider: "script", model: "m" },
            finish: "stop",
            usage: { inputTokens: 1, outputTokens: 1, reasoningTokens: null, cachedInputTokens: null }
          }
        ])
        const page = yield* visit(at(made))
        const all = <A>(selector: string, of: string) =>
          page.evaluate<ReadonlyArray<A>>(`[...document.querySelectorAll(".markdown ${selector}")].map((one) => ${of})`)
        yield* Effect.promise(async () => {
          await live(page)
          await page.locator(".markdown table").waitFor()
          expect(await all("ol", "one.start")).toEqual([0, 7])
          const aligned = ["left", "center", "right", "left"]
          expect(await all("th", "getComputedStyle(one).textAlign")).toEqual(aligned)
          expect(await all("td", "getComputedStyle(one).textAlign")).toEqual(aligned)
          const [said = ""] = (await all<string>("p", "one.innerText")).slice(-1)
          expect(said).toBe("— — \uFFFD \uFFFD \uFFFD &#169; U+202E &#169; both neither")
          expect(await all("a", "one.href")).toEqual(["https://a.example/?a=1&b=2"])
        })
      })
    ),
    patience
  )
})
