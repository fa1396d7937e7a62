/** A whole chat page: `useChat`, calls as they run, questions with buttons; it continues after a cut or a reload. */
import { useChat } from "@ai-sdk/react"
import { DefaultChatTransport, type UIMessage } from "ai"
import { createRoot } from "react-dom/client"

const id = new URLSearchParams(location.search).get("chat") ?? "chat"
const transport = new DefaultChatTransport({ api: "/skein/ai/chat" })
const textOf = (form: FormData) => form.getAll("text").find((text) => typeof text === "string") ?? ""
const headers = { "content-type": "application/json" }
const answer = (question: string, verdict: string) => () =>
  void fetch(`/skein/v1/questions/${question}/answer`, { method: "POST", headers, body: JSON.stringify({ verdict }) })

const shown = (part: UIMessage["parts"][number], nth: number) => {
  if (part.type !== "dynamic-tool") return part.type === "text" ? <p key={nth}>{part.text}</p> : null
  return (
    <p key={nth}>
      <code>{`${part.toolName} ${JSON.stringify(part.input)}`}</code> <i>{part.state}</i>{" "}
      {part.state === "approval-requested" && <button onClick={answer(part.approval.id, "allow-once")}>Allow</button>}
      {part.state === "approval-requested" && <button onClick={answer(part.approval.id, "deny")}>Deny</button>}
    </p>
  )
}

function Chat({ messages }: { messages: Array<UIMessage> }) {
  const again = () => window.setTimeout(() => chat.resumeStream(), 1000)
  const chat = useChat({ id, messages, transport, resume: true, onError: again })
  return (
    <>
      {chat.messages.map(({ id, parts, role }) => (
        <section key={id} className={role} children={parts.map(shown)} />
      ))}
      <form action={(form) => void chat.sendMessage({ text: textOf(form) })}>
        <input aria-label="Message" name="text" /> <output>{chat.status}</output>
      </form>
    </>
  )
}

const loaded = await fetch(`/skein/ai/chat/${id}/messages`)
createRoot(document.body).render(<Chat messages={loaded.ok ? await loaded.json() : []} />)
