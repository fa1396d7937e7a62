/** Markdown on the page: lists, tables and references to characters are what they say. */
import { Effect } from "effect"
import { expect, it } from "vitest"
import * as Chromium from "../../../support/browser/Browser.js"
import { at, live, visit, world, World } from "./visiting.js"

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

const references = `
&copy; &mdash; &nbsp;| &Auml;&LT;&ltimes;&semi; &fjlig; &NotEqualTilde; &Afr; &rlm; \`&copy;\` \\&copy; &lt;b&gt;&lt;img src=x onerror=alert(1)&gt;

&copy &Copy; &notit; &nosuch; &constructor; &x; &amp;copy; &lt

[bad](javascript&colon;alert(1)) [good](https://a.example/&auml;?b&equals;c) ![&eacute;&rlm;](https://a.example/x)

### R&eacute;sum&eacute;

| &larr; | **&rarr;** |
| - | - |
| &uarr; | _&darr;_ |

    &copy;
`

const said = (text: string) => ({
  role: "assistant" as const,
  parts: [{ type: "text" as const, text }],
  model: { provider: "script", model: "m" },
  finish: "stop" as const,
  usage: { inputTokens: 1, outputTokens: 1, reasoningTokens: null, cachedInputTokens: null }
})

const directed = `
English

\u0633\u0644\u0627\u0645 word \`code\` \u0645\u0631\u062D\u0628\u0627

- \u05E9\u05DC\u05D5\u05DD

> \u05E9\u05DC\u05D5\u05DD

> English

| name | ${"long".repeat(100)} |
| - | - |
| alpha | ${"x".repeat(300)} |
`

Chromium.describe("Markdown", () => {
  it(
    "gives each block the direction of its text, and cuts no word of a narrow column for a wide one",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Directed" })
        const asked = { role: "user" as const, parts: [{ type: "text" as const, text: "\u05E9\u05DC\u05D5\u05DD" }] }
        yield* gateway.append(made.id, [asked, said(directed)])
        const page = yield* visit(at(made))
        yield* Effect.promise(async () => {
          await live(page)
          await page.locator(".markdown table").waitFor()
          const all = <A>(selector: string, of: string) =>
            page.evaluate<ReadonlyArray<A>>(
              `[...document.querySelectorAll(".markdown ${selector}")].map((one) => ${of})`
            )
          const blocks = await all("> *", "one.tagName + ' ' + getComputedStyle(one).direction")
          expect(blocks.slice(0, 5)).toEqual(["P ltr", "P rtl", "UL rtl", "BLOCKQUOTE rtl", "BLOCKQUOTE ltr"])
          expect(await page.evaluate(`getComputedStyle(document.querySelector(".said")).direction`)).toBe("rtl")
          // As wide as its word with the padding. A column of single letters has less than 40 pixels.
          expect(await all("tbody td:first-child", "one.clientWidth >= 45")).toEqual([true])
          expect(await all("table", "one.scrollWidth <= 1000")).toEqual([true])
        })
      })
    )
  )

  it(
    "has the characters of named references in its texts and addresses, and never in code",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Named" })
        yield* gateway.append(made.id, [said(references)])
        const page = yield* visit(at(made), { allowed: /TrustedTypePolicy|^trusted-types / })
        yield* Effect.promise(async () => {
          await live(page)
          await page.locator(".markdown table").waitFor()
          const all = (selector: string, of: string) =>
            page.evaluate<ReadonlyArray<string>>(
              `[...document.querySelectorAll(".markdown ${selector}")].map((one) => ${of})`
            )
          const texts = async (selector: string) =>
            (await page.locator(`.markdown ${selector}`).allInnerTexts()).map((one) => one.trim())
          const [first, second, third] = await texts("p")
          expect(first).toBe(
            "© — \u00A0| Ä<⋉; fj \u2242\u0338 \u{1D504} U+200F &copy; &copy; <b><img src=x onerror=alert(1)>"
          )
          expect(second).toBe("&copy &Copy; &notit; &nosuch; &constructor; &x; &copy; &lt")
          expect(third).toContain("image: éU+200F")
          expect(await all("a", "one.href")).toEqual(["https://a.example/%C3%A4?b=c", "https://a.example/x"])
          expect(await texts("h5")).toEqual(["Résumé"])
          expect(await texts("th, .markdown td")).toEqual(["←", "→", "↑", "↓"])
          expect(await texts("pre")).toEqual(["&copy;"])
          expect(await page.locator(".markdown img").count()).toBe(0)
          // Nothing else can be made into HTML, not by a policy of its own either.
          const others = await page.evaluate<ReadonlyArray<string>>(`["skein-characters", "another"].flatMap((name) => {
            try {
              trustedTypes.createPolicy(name, {})
              return [name]
            } catch {
              return []
            }
          })`)
          expect(others).toEqual([])
        })
      })
    )
  )

  it(
    "has the numbers of its lists, the alignment of its columns, and the characters of its references",
    run(
      Effect.gen(function* () {
        const { gateway, session } = yield* World
        const made = yield* session({ title: "Marked" })
        yield* gateway.append(made.id, [said(text)])
        const page = yield* visit(at(made))
        const all = <A>(selector: string, of: string) =>
          page.evaluate<ReadonlyArray<A>>(`[...document.querySelectorAll(".markdown ${selector}")].map((one) => ${of})`)
        yield* Effect.promise(async () => {
          await live(page)
          await page.locator(".markdown table").waitFor()
          expect(await all("ol", "one.start")).toEqual([0, 7])
          const aligned = ["start", "center", "right", "start"]
          expect(await all("th", "getComputedStyle(one).textAlign")).toEqual(aligned)
          expect(await all("td", "getComputedStyle(one).textAlign")).toEqual(aligned)
          const [said = ""] = (await all<string>("p", "one.innerText")).slice(-1)
          expect(said).toBe("— — \uFFFD \uFFFD \uFFFD &#169; U+202E &#169; both neither")
          expect(await all("a", "one.href")).toEqual(["https://a.example/?a=1&b=2"])
        })
      })
    )
  )
})
