/** What the models of golden sessions say, by session, and the files that are saved. */
import type * as Script from "../../../src/domain/Script.js"

const usage = { inputTokens: 11, outputTokens: 7, reasoningTokens: 3, cachedInputTokens: 2 }

const call = (name: string, input: Script.Call["input"] = {}): Script.Call => ({ name, input })

const ask: ReadonlyArray<Script.Step> = [
  { calls: [call("danger"), call("work")], usage },
  { text: "Thanks.", usage }
]

export const scripts: Readonly<Record<string, Script.Script>> = {
  full: [
    { reasoning: "thinking about it", text: "A plain answer, 日本語, emoji 🙂.", usage },
    {
      text: "Looking.",
      calls: [call("work"), call("fail"), call("die"), call("nosuch"), call("work", "{broken"), call("big")],
      usage
    },
    { text: "Done.", usage },
    { text: "Half an ans", failure: { reason: "cut" } },
    { text: "Too long", finish: "length", usage },
    { text: "No.", finish: "content-filter", usage },
    { text: "A dot.", usage }
  ],
  plainer: [...ask, ...ask, ...ask, { hang: true }],
  gone: [{ text: "soon gone", usage }],
  reused: [{ text: "an answer", usage }],
  released: [{ hang: true }],
  held: [{ calls: [call("work"), call("wait")], usage }],
  asking: ask,
  drafting: [{ text: "A draft that goes on ", hang: true }]
}

/** A picture of one pixel, and a text. */
export const pictures = [
  {
    name: "dot.png",
    mediaType: "image/png",
    content: new Uint8Array(
      Buffer.from(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
        "base64"
      )
    )
  },
  { name: "gone.txt", mediaType: "text/plain", content: new TextEncoder().encode("bye") }
]
