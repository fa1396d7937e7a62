/** Where a message is written. */
import { useRef, useState } from "preact/hooks"
import type { SessionView } from "../model/SessionView.js"
import * as Visible from "../model/Visible.js"
import * as Words from "../model/Words.js"
import * as Api from "../net/Api.js"
import * as Pointing from "../state/Pointing.js"
import { useStore } from "../state/Store.js"
import * as Unsent from "../state/Unsent.js"
import { Failure, wordsOf } from "./Failure.js"
import { useGrace } from "./Grace.js"

/** What the person may want to know while writing. */
const hint = ({ sending, text }: Unsent.State): string => {
  if (sending !== null) return `Sending “${Words.beginning(sending.text)}”…`
  return text.length > 1000 ? `${Words.count(text.length)} characters` : "Enter sends, Shift+Enter adds a line"
}

/** The messages that wait for their turn, each by its text, or by its time if it was written elsewhere. */
const Queue = ({
  beginningOf,
  queued,
  withdraw
}: {
  readonly beginningOf: (runId: string) => string
  readonly queued: SessionView["queued"]
  readonly withdraw: (runId: string) => void
}) => (
  <p class="queue" ref={useGrace<HTMLParagraphElement>()}>
    {queued.length === 1 ? "One message is waiting" : `${queued.length} messages are waiting`}
    {queued.map(({ createdAt, id }) => {
      const text = beginningOf(id)
      return (
        <button type="button" class="quiet" key={id} onClick={() => withdraw(id)}>
          Withdraw {text === "" ? `the one from ${new Date(createdAt).toLocaleTimeString()}` : `“${text}”`}
        </button>
      )
    })}
  </p>
)

/** The files of the message. An upload shows how far it is. */
const Attachments = ({
  detach,
  files
}: {
  readonly files: ReadonlyArray<Unsent.Attached>
  readonly detach: (id: number) => void
}) => (
  <ul class="attached" ref={useGrace<HTMLUListElement>()}>
    {files.map(({ file, id, name, sent, size }) => {
      const shown = Visible.line(name)
      return (
        <li key={id}>
          {shown}
          {file === null ? <progress aria-label={`Uploading ${shown}`} max={Math.max(1, size)} value={sent} /> : null}
          <button
            type="button"
            class="quiet"
            aria-label={`${file === null ? "Stop uploading" : "Remove"} ${shown}`}
            onClick={() => detach(id)}
          >
            ✕
          </button>
        </li>
      )
    })}
  </ul>
)

export const Composer = ({ view }: { readonly view: SessionView }) => {
  const unsent = Unsent.of(view.session.id)
  const message = useStore(unsent.state, (state) => state)
  const [failed, fail] = useState<string | null>(null)
  const chooser = useRef<HTMLInputElement>(null)
  const isBusy = view.run !== null || view.queued.length > 0

  const send = () => {
    if (!Unsent.maySend(unsent.state.value)) return
    fail(null)
    Pointing.goToEnd()
    void unsent.send()
  }
  const cancel = (runId: string) => {
    fail(null)
    void Api.cancel(runId).catch((error: unknown) => fail(wordsOf(error)))
  }
  const filesOf = (list: FileList | undefined | null): ReadonlyArray<File> => [...(list ?? [])]

  const { run } = view
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      {view.queued.length === 0 ? null : (
        <Queue queued={view.queued} beginningOf={(id) => unsent.beginningOf(id)} withdraw={cancel} />
      )}
      <Failure text={failed} />
      <Failure text={message.failed} />
      {message.files.length === 0 ? null : <Attachments files={message.files} detach={(id) => unsent.detach(id)} />}
      <textarea
        id="message"
        rows={Math.min(10, Math.max(2, message.text.split("\n").length))}
        value={message.text}
        placeholder={isBusy ? "The next message will be queued" : "Message"}
        aria-label="Message"
        onInput={(event) => unsent.write(event.currentTarget.value)}
        onPaste={(event) => {
          const files = filesOf(event.clipboardData?.files)
          if (files.length === 0) return
          event.preventDefault()
          unsent.attach(files)
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
          event.preventDefault()
          send()
        }}
      />
      <div class="actions">
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          aria-hidden="true"
          tabIndex={-1}
          onChange={(event) => {
            unsent.attach(filesOf(event.currentTarget.files))
            event.currentTarget.value = ""
          }}
        />
        <button type="button" class="quiet" onClick={() => chooser.current?.click()}>
          Attach
        </button>
        <span class="note grows">{hint(message)}</span>
        {run === null || run.left ? null : (
          <button type="button" class="danger" onClick={() => cancel(run.id)}>
            Stop
          </button>
        )}
        <button class="primary" disabled={!Unsent.maySend(message)}>
          {isBusy ? "Queue" : "Send"}
        </button>
      </div>
    </form>
  )
}
