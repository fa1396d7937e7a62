/** A turn in the AI SDK: `generateText` with tools, and three rows written with synchronous = FULL, as by hand. */
import Sqlite from "better-sqlite3"
import { generateText, stepCountIs, tool } from "ai"
import { join } from "node:path"
import { z } from "zod"

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 }
}

export const open = async (folder, count) => {
  const database = new Sqlite(join(folder, "ai-sdk.db"))
  database.pragma("journal_mode = WAL")
  database.pragma("synchronous = FULL")
  database.exec("CREATE TABLE messages (id INTEGER PRIMARY KEY, body TEXT)")
  const insert = database.prepare("INSERT INTO messages (body) VALUES (?)")
  const calls = Array.from({ length: count }, (_, n) => ({
    type: "tool-call",
    toolCallId: `call-${n}`,
    toolName: "noop",
    input: JSON.stringify({ n })
  }))
  const tools = {
    noop: tool({ description: "Does nothing", inputSchema: z.object({ n: z.number() }), execute: async () => "done" })
  }
  return async () => {
    let step = 0
    const model = {
      specificationVersion: "v3",
      provider: "bench",
      modelId: "bench",
      supportedUrls: {},
      doGenerate: async () =>
        step++ === 0
          ? { content: calls, finishReason: { unified: "tool-calls", raw: "tool_calls" }, usage, warnings: [] }
          : {
              content: [{ type: "text", text: "done" }],
              finishReason: { unified: "stop", raw: "stop" },
              usage,
              warnings: []
            }
    }
    const messages = [{ role: "user", content: "go" }]
    insert.run(JSON.stringify(messages[0]))
    const { response, steps, text } = await generateText({ model, tools, messages, stopWhen: stepCountIs(5) })
    insert.run(JSON.stringify(steps[0].response.messages))
    insert.run(JSON.stringify(response.messages.at(-1)))
    const results = steps[0].toolResults.length
    if (text !== "done" || results !== count) throw new Error(`the AI SDK returned ${results} results and "${text}"`)
  }
}
