/**
 * The AI SDK's own chat, as `useChat` uses it, without React: what it shows, and ways to wait until it shows something.
 */
import { Effect } from "effect"
import { AbstractChat, type ChatStatus, DefaultChatTransport, type UIMessage } from "ai"

interface Kept<M extends UIMessage> {
  status: ChatStatus
  error: Error | undefined
  messages: Array<M>
}

/** Where a chat keeps what it shows; reports each change. */
const stateOf = <M extends UIMessage>(kept: Kept<M>, changed: () => void) => {
  const set = (messages: Array<M>) => {
    kept.messages = messages
    changed()
  }
  return {
    get status() {
      return kept.status
    },
    set status(status: ChatStatus) {
      kept.status = status
      changed()
    },
    get error() {
      return kept.error
    },
    set error(error: Error | undefined) {
      kept.error = error
    },
    get messages() {
      return kept.messages
    },
    set messages(messages: Array<M>) {
      set(messages)
    },
    pushMessage: (message: M) => set([...kept.messages, message]),
    popMessage: () => set(kept.messages.slice(0, -1)),
    replaceMessage: (index: number, message: M) => set(kept.messages.with(index, structuredClone(message))),
    snapshot: <T>(value: T): T => structuredClone(value)
  }
}

class Chat extends AbstractChat<UIMessage> {}

export interface Options {
  readonly port: number
  readonly id: string
  readonly headers?: Record<string, string>
  readonly messages?: ReadonlyArray<UIMessage>
}

/** A chat with a server, and the chunks that it received. */
export const open = ({ headers = {}, id, messages = [], port }: Options) => {
  const watchers = new Set<() => void>()
  const kept: Kept<UIMessage> = { status: "ready", error: undefined, messages: [...messages] }
  const errors: Array<string> = []
  const chat = new Chat({
    id,
    state: stateOf(kept, () => watchers.forEach((look) => look())),
    transport: new DefaultChatTransport({ api: `http://127.0.0.1:${port}/ai/chat`, headers }),
    onError: (error) => void errors.push(error.message)
  })
  return {
    chat,
    errors,
    send: (text: string, messageId = `of ${text}`) =>
      Effect.promise(() => chat.sendMessage({ id: messageId, role: "user", parts: [{ type: "text", text }] })),
    resume: Effect.promise(() => chat.resumeStream()),
    shown: () => chat.messages.map(lineOf),
    /** Returns once the shown lines match. */
    until: (isThere: (lines: ReadonlyArray<string>) => boolean) =>
      Effect.async<void>((done) => {
        const look = () => {
          if (!isThere(chat.messages.map(lineOf))) return
          watchers.delete(look)
          done(Effect.void)
        }
        watchers.add(look)
        look()
        return Effect.sync(() => watchers.delete(look))
      })
  }
}

/** A message as one line: each part with its state, as a page would show it. */
export const lineOf = (message: UIMessage): string =>
  `${message.role}: ${message.parts
    .map((part) => {
      if (part.type === "text") return part.text
      if (part.type === "reasoning") return `(${part.text})`
      if (part.type !== "dynamic-tool") return part.type === "step-start" ? "|" : `[${part.type}]`
      const { input, output, preliminary, state } = { output: undefined, preliminary: false, ...part }
      const shown = part.state === "output-error" ? part.errorText : JSON.stringify(output)
      return `${part.toolName}${JSON.stringify(input)} ${state}${preliminary === true ? "…" : ""}${shown === undefined ? "" : ` ${shown}`}`
    })
    .join(" ")}`
