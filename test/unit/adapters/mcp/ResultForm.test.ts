import { expect, it } from "@effect/vitest"
import * as ResultForm from "../../../../src/adapters/mcp/ResultForm.js"

const text = { type: "text", text: "a" }
const blocks = [
  text,
  { type: "image", data: "AA==", mimeType: "image/png" },
  { type: "audio", data: "AA==", mimeType: "audio/wav" },
  { type: "resource_link", name: "a", uri: "file:///a" },
  { type: "resource", resource: { uri: "file:///a", text: "b" } },
  { type: "resource", resource: { uri: "file:///a", blob: "AA==", mimeType: "x/y" } }
]

it("blocks of the protocol's form are kept, whatever they have that is not used", () => {
  const more = { annotations: { audience: [7] }, _meta: 7, icons: 7 }
  const all = blocks.map((block) => ({ ...block, ...more }))
  expect(ResultForm.blocksOf(all)).toEqual({ blocks, leftOut: 0 })
  const messages = all.map((content) => ({ role: "user", content }))
  expect(ResultForm.messagesOf(messages)).toEqual({ blocks: blocks.map((content) => ({ content })), leftOut: 0 })
  const resources = blocks.flatMap((block) => ("resource" in block ? [block.resource] : []))
  expect(ResultForm.resourcesOf(resources)).toEqual({ blocks: resources, leftOut: 0 })
})

it("blocks of another form are left out, one by one", () => {
  for (const wrong of [0, null, {}, [], { type: "text" }, { type: "x" }, { type: "image", data: "AA==" }]) {
    expect(ResultForm.blocksOf([wrong, text, wrong])).toEqual({ blocks: [text], leftOut: 2 })
    expect(ResultForm.messagesOf([{ content: wrong }, { content: text }, wrong])).toEqual({
      blocks: [{ content: text }],
      leftOut: 2
    })
    expect(ResultForm.resourcesOf([wrong, { uri: "a" }])).toEqual({ blocks: [], leftOut: 2 })
  }
})
