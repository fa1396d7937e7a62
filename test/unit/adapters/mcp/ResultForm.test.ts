import { expect, it } from "@effect/vitest"
import * as sdk from "@modelcontextprotocol/client"
import * as ResultForm from "../../../../src/adapters/mcp/ResultForm.js"

const forms = ResultForm.make(sdk)

const text = { type: "text", text: "a", annotations: { audience: ["user"], priority: 1 }, _meta: { x: 1 } }
const blocks = [
  text,
  { type: "image", data: "AA==", mimeType: "image/png" },
  { type: "audio", data: "AA==", mimeType: "audio/wav" },
  { type: "resource_link", name: "a", uri: "file:///a", icons: [{ src: "file:///b", sizes: ["any"] }] },
  { type: "resource", resource: { uri: "file:///a", text: "b" } },
  { type: "resource", resource: { uri: "file:///a", blob: "AA==", mimeType: "x/y" } }
]

it("a result of the protocol's form is checked by the client package, and kept whole", () => {
  const call = { content: blocks, structuredContent: { a: [1] }, isError: false, _meta: { a: 1 } }
  const prompt = { description: "a", messages: blocks.map((content) => ({ role: "user", content })) }
  const resource = { contents: blocks.flatMap((block) => ("resource" in block ? [block.resource] : [])) }
  expect(forms.call["~standard"].validate(call)).toEqual({ value: call })
  expect(forms.prompt["~standard"].validate(prompt)).toEqual({ value: prompt })
  expect(forms.resource["~standard"].validate(resource)).toEqual({ value: resource })
  expect(forms.call["~standard"].validate({ content: [], isError: 7 })).toHaveProperty("issues")
})

it("what is wrong with a result is told once, however many of its blocks are wrong", () => {
  const wrong = [0, {}, { type: "text" }, { type: "x" }, { ...text, annotations: { audience: [0] } }]
  for (const block of [...wrong, { type: "resource", resource: {} }]) {
    const all = Array.from({ length: 1_000 }, () => block)
    const told = { issues: [{ message: "not of its form" }] }
    expect(forms.call["~standard"].validate({ content: all })).toEqual(told)
    expect(forms.prompt["~standard"].validate({ messages: all.map((content) => ({ content })) })).toEqual(told)
    expect(forms.resource["~standard"].validate({ contents: all })).toEqual(told)
  }
})
