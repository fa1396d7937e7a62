/** A turn in LangGraph: its version 2 agent, in which each call is a task, with its SqliteSaver at FULL. */
import { BaseChatModel } from "@langchain/core/language_models/chat_models"
import { AIMessage } from "@langchain/core/messages"
import { tool } from "@langchain/core/tools"
import { SqliteSaver } from "@langchain/langgraph-checkpoint-sqlite"
import { createReactAgent } from "@langchain/langgraph/prebuilt"
import { setMaxListeners } from "node:events"
import { join } from "node:path"
import { z } from "zod"

// All tasks listen to the same signal. That is intended, but Node would warn about it.
setMaxListeners(0)

class BenchModel extends BaseChatModel {
  constructor(count) {
    super({})
    this.count = count
  }
  _llmType() {
    return "bench"
  }
  bindTools() {
    return this
  }
  async _generate(messages) {
    const isFirst = messages.at(-1)?.getType() === "human"
    const calls = Array.from({ length: this.count }, (_, n) => ({
      id: `call-${n}`,
      name: "noop",
      args: { n },
      type: "tool_call"
    }))
    const message = isFirst ? new AIMessage({ content: "", tool_calls: calls }) : new AIMessage("done")
    return { generations: [{ text: isFirst ? "" : "done", message }] }
  }
}

export const open = async (folder, count) => {
  const checkpointer = SqliteSaver.fromConnString(join(folder, "langgraph.db"))
  checkpointer.db.pragma("journal_mode = WAL")
  checkpointer.db.pragma("synchronous = FULL")
  const noop = tool(async () => "done", {
    name: "noop",
    description: "Does nothing",
    schema: z.object({ n: z.number() })
  })
  const agent = createReactAgent({ llm: new BenchModel(count), tools: [noop], checkpointer, version: "v2" })
  let thread = 0
  return async () => {
    const { messages } = await agent.invoke(
      { messages: [{ role: "user", content: "go" }] },
      { configurable: { thread_id: `thread-${++thread}` } }
    )
    if (messages.length !== count + 3) throw new Error(`LangGraph returned ${messages.length} messages`)
  }
}
