import { describe, expect, it } from "@effect/vitest"
import { Effect, Ref } from "effect"
import { Mcp } from "skein/mcp"
import { bundle } from "../../../support/programs/Bundle.js"
import { withServers } from "./withServers.js"

const program = bundle(new URL("scripted.ts", import.meta.url), { whole: true })

/** A server that gives these answers, by method. */
const answering = (answers: Readonly<Record<string, unknown>>) =>
  Effect.map(program, (path) => ({ command: process.execPath, args: [path, JSON.stringify(answers)] }))

/** Servers, and what was told about them. */
const telling = (servers: Parameters<typeof Mcp.make>[0]) =>
  Effect.gen(function* () {
    const told = yield* Ref.make<ReadonlyArray<string>>([])
    const onLeftOut: Mcp.Options["onLeftOut"] = ({ message }) => Ref.update(told, (before) => [...before, message])
    return { mcp: yield* Mcp.make(servers, { onLeftOut }), told: Ref.getAndSet(told, []) }
  })

const inputSchema = { type: "object", properties: {} }
const tool = (name: string) => ({ name, inputSchema })

describe("of what a server lists", () => {
  it.scopedLive("only an entry that cannot be used is left out, and why is told once", () =>
    Effect.gen(function* () {
      const odd = [
        tool("first"),
        { name: "formless", inputSchema: 7 },
        { name: "shapeless" },
        { ...tool("wordy"), description: 7 },
        tool("first"),
        { name: 7, inputSchema },
        null,
        { ...tool("strange"), annotations: 7, outputSchema: 7, icons: 7, title: "Strange" },
        tool("last")
      ]
      const { mcp, told } = yield* telling({
        odd: yield* answering({ "tools/list": { tools: odd, nextCursor: null } })
      })
      expect((yield* mcp.toolsFor(null)).map(({ name }) => name)).toEqual(["odd__first", "odd__strange", "odd__last"])
      const [only, ...more] = yield* told
      expect(more).toEqual([])
      expect(only).toBe(
        "Left out of the tools of the MCP server odd: odd__formless (its input schema: a JSON Schema of an object), " +
          "odd__shapeless (its input schema: JSON), odd__wordy (its description is not of the protocol's form) and 3 more"
      )
      yield* mcp.toolsFor(null)
      expect(yield* told).toEqual([])
    })
  )

  it.scopedLive("a page that cannot be read ends the list, whose other pages are kept", () =>
    Effect.gen(function* () {
      const first = { tools: [tool("a")], nextCursor: "2" }
      const { mcp, told } = yield* telling({
        formless: yield* answering({ "tools/list": first, "tools/list 2": { tools: 7 } }),
        missing: yield* answering({ "tools/list": first }),
        same: yield* answering({ "tools/list": first, "tools/list 2": { tools: [tool("b")], nextCursor: "2" } }),
        long: yield* answering({ "tools/list": { tools: Array.from({ length: 300 }, (_, n) => tool(`t${n}`)) } })
      })
      const named = yield* Effect.map(mcp.toolsFor(null), (tools) => tools.map(({ name }) => name))
      expect(named.slice(0, 4)).toEqual(["formless__a", "missing__a", "same__a", "same__b"])
      expect(named).toHaveLength(4 + 256)
      expect([...(yield* told)].sort()).toEqual([
        "Left out of the tools of the MCP server formless: the rest (its answer does not keep to the protocol)",
        "Left out of the tools of the MCP server long: the rest (at most 256 are read)",
        "Left out of the tools of the MCP server missing: the rest (it answered with an error)",
        "Left out of the tools of the MCP server same: the rest (a page leads to itself)"
      ])
    })
  )

  it.scopedLive("so are prompts and resources", () =>
    Effect.gen(function* () {
      const prompts = [
        { name: "odd", arguments: 7 },
        { name: "good", description: "first", arguments: [{ name: "a", required: true }] },
        { name: "odder", arguments: [{ name: "a", required: "yes" }] },
        { name: "good", description: "second" }
      ]
      const resources = [{ uri: 7, name: "odd" }, { uri: "x:a", name: "good", annotations: 7 }, { uri: "x:b" }]
      const { mcp, told } = yield* telling({
        odd: yield* answering({ "prompts/list": { prompts }, "resources/list": { resources } })
      })
      expect((yield* mcp.commands(null)).map(({ about, name }) => [name, about])).toEqual([["odd__good", "first"]])
      expect(yield* mcp.resources("odd")).toEqual([{ uri: "x:a", name: "good" }])
      expect(yield* told).toEqual([
        "Left out of the prompts of the MCP server odd: odd__odd (its arguments is not of the protocol's form), " +
          "odd__odder (its arguments.0.required is not of the protocol's form), odd__good (another one has its name)",
        "Left out of the resources of the MCP server odd: number 1 (its uri is not of the protocol's form), " +
          "x:b (its name is not of the protocol's form)"
      ])
    })
  )

  it.scopedLive("nothing is lost to another server: not a tool whose name it has too, nor a prompt when it fails", () =>
    Effect.gen(function* () {
      const { mcp, told } = yield* telling({
        a: yield* answering({ "tools/list": { tools: [{ ...tool("b__c"), description: "first" }] } }),
        a__b: yield* answering({
          "tools/list": { tools: [{ ...tool("c"), description: "second" }, tool("d")] },
          "prompts/list": { prompts: [{ name: "go" }] },
          "prompts/get": { messages: [{ role: "user", content: { type: "text", text: "said" } }] }
        })
      })
      for (const _ of [1, 2]) {
        expect((yield* mcp.toolsFor(null)).map(({ description, name }) => [name, description])).toEqual([
          ["a__b__c", "first"],
          ["a__b__d", ""]
        ])
      }
      expect(yield* told).toEqual(["Left out of the tools of the MCP server a__b: a__b__c (another one has its name)"])
      expect((yield* mcp.expand(null, "a__b__go", "")).text).toBe("said")
      expect((yield* Effect.flip(mcp.expand(null, "a__b__stay", "")))._tag).toBe("McpFailed")
    })
  )
})

describe("of what a server answers", () => {
  it.scopedLive("only a block that cannot be read is left out, and the answer says so", () =>
    Effect.gen(function* () {
      const good = { type: "text", text: "good" }
      const blocks = [{ type: "text" }, good, { type: "hologram" }, { ...good, text: "better", annotations: 7 }, 0]
      const { mcp, run } = yield* withServers({
        odd: yield* answering({
          "tools/list": { tools: [tool("go")] },
          "tools/call": { content: blocks, structuredContent: null },
          "prompts/list": { prompts: [{ name: "go" }] },
          "prompts/get": { messages: [...blocks.map((content) => ({ content })), 7] },
          "resources/read": { contents: [{ uri: "x:a", text: "good" }, { uri: "x:a" }] }
        })
      })
      const { lines } = yield* run(["odd__go", {}])
      expect(lines).toEqual([
        "odd__go success: good\nbetter\n[3 parts that are not of the protocol's form were left out]"
      ])
      expect((yield* mcp.expand(null, "odd__go", "")).text).toBe(
        "good\n\nbetter\n\n[4 parts that are not of the protocol's form were left out]"
      )
      expect((yield* mcp.read(null, "odd", "x:a")).text).toBe(
        '<resource uri="x:a">\ngood\n</resource>\n\n[1 part that is not of the protocol\'s form was left out]'
      )
    })
  )

  it.scopedLive("an answer that is of another form fails", () =>
    Effect.gen(function* () {
      const { run } = yield* withServers({
        odd: yield* answering({ "tools/list": { tools: [tool("go")] }, "tools/call": { content: 7 } }),
        odder: yield* answering({ "tools/list": { tools: [tool("go")] }, "tools/call": { content: [], isError: 7 } }),
        oddest: yield* answering({ "tools/list": { tools: [tool("go")] }, "tools/call": { content: [], _meta: 7 } }),
        bare: yield* answering({ "tools/list": { tools: [tool("go")] }, "tools/call": 7 })
      })
      const { lines } = yield* run(["odd__go", {}], ["odder__go", {}], ["oddest__go", {}], ["bare__go", {}])
      for (const line of lines) expect(line).toMatch(/failed to call: its answer does not keep to the protocol/)
      expect(lines).toHaveLength(4)
    })
  )
})
