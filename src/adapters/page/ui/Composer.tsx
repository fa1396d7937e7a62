/**
 * Where a message is written. What is written for a session stays with it while other sessions are shown. A message has
 * its key before it is sent, so that sending it again after a lost connection stores it once.
 */
import { useEffect, useRef, useState } from "preact/hooks"
import type { SessionView } from "../model/SessionView.js"
import * as Words from "../model/Words.js"
import * as Api from "../net/Api.js"
import * as Pointing from "../state/Pointing.js"
import { Failure, wordsOf } from "./Failure.js"

interface Draft {
  readonly text: string
  readonly files: ReadonlyArray<Api.SentFile>
  readonly key: string
}

const drafts = new Map<string, Draft>()
const blank = (): Draft => ({ text: "", files: [], key: Api.newKey() })

export const Composer = ({ view }: { readonly view: SessionView }) => {
  const { id } = view.session
  const [draft, write] = useState(() => drafts.get(id) ?? blank())
  const [failed, fail] = useState<string | null>(null)
  const [isSending, sending] = useState(false)
  /** Whether to send once the files are uploaded. */
  const [isWanted, want] = useState(false)
  const [uploads, setUploads] = useState<ReadonlyArray<string>>([])
  const chooser = useRef<HTMLInputElement>(null)
  const latest = useRef(draft)
  const isBusy = view.run !== null || view.queued.length > 0

  const change = (changes: Partial<Draft>) => {
    latest.current = { ...latest.current, ...changes }
    drafts.set(id, latest.current)
    write(latest.current)
  }
  const isEmpty = draft.text.trim() === "" && draft.files.length + uploads.length === 0

  const send = async () => {
    if (isEmpty || isSending) return
    want(uploads.length > 0)
    if (uploads.length > 0) return
    sending(true)
    fail(null)
    try {
      await Api.send(id, latest.current)
      Pointing.goToEnd()
      latest.current = blank()
      drafts.delete(id)
      write(latest.current)
    } catch (error) {
      fail(wordsOf(error))
    } finally {
      sending(false)
    }
  }

  useEffect(() => {
    if (isWanted && uploads.length === 0) void send()
  }, [isWanted, uploads.length])

  const attach = async (files: ReadonlyArray<File>) => {
    fail(null)
    for (const file of files) {
      setUploads((all) => [...all, file.name])
      try {
        const { id: assetId, mediaType, name } = await Api.saveAsset(id, file)
        change({
          files: [...latest.current.files, name === null ? { assetId, mediaType } : { assetId, mediaType, name }]
        })
      } catch (error) {
        want(false)
        fail(`${file.name}: ${wordsOf(error)}`)
      } finally {
        setUploads((all) => all.toSpliced(all.indexOf(file.name), 1))
      }
    }
  }
  const filesOf = (list: FileList | undefined | null): ReadonlyArray<File> => [...(list ?? [])]

  const { run } = view
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault()
        void attach(filesOf(event.dataTransfer?.files))
      }}
    >
      {view.queued.length === 0 ? null : (
        <p class="queue">
          {view.queued.length === 1 ? "One message is waiting" : `${view.queued.length} messages are waiting`}
          {view.queued.map(({ createdAt, id }) => (
            <button
              type="button"
              class="quiet"
              key={id}
              onClick={() => void Api.cancel(id).catch((e: unknown) => fail(wordsOf(e)))}
            >
              Withdraw{view.queued.length === 1 ? "" : ` the one from ${new Date(createdAt).toLocaleTimeString()}`}
            </button>
          ))}
        </p>
      )}
      <Failure text={failed} />
      {draft.files.length + uploads.length === 0 ? null : (
        <ul class="attached">
          {draft.files.map(({ assetId, name }) => (
            <li key={assetId}>
              {name ?? assetId}
              <button
                type="button"
                class="quiet"
                aria-label={`Remove ${name ?? assetId}`}
                onClick={() => {
                  change({ files: draft.files.filter((file) => file.assetId !== assetId) })
                  void Api.removeAsset(id, assetId).catch((e: unknown) => fail(wordsOf(e)))
                }}
              >
                ✕
              </button>
            </li>
          ))}
          {uploads.map((name) => (
            <li class="note">{name} …</li>
          ))}
        </ul>
      )}
      <textarea
        id="message"
        rows={Math.min(10, Math.max(2, draft.text.split("\n").length))}
        value={draft.text}
        placeholder={isBusy ? "The next message will be queued" : "Message"}
        aria-label="Message"
        onInput={(event) => change({ text: event.currentTarget.value })}
        onPaste={(event) => {
          const files = filesOf(event.clipboardData?.files)
          if (files.length === 0) return
          event.preventDefault()
          void attach(files)
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
          event.preventDefault()
          void send()
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
            void attach(filesOf(event.currentTarget.files))
            event.currentTarget.value = ""
          }}
        />
        <button type="button" class="quiet" onClick={() => chooser.current?.click()}>
          Attach
        </button>
        <span class="note grows">
          {draft.text.length > 1000
            ? `${Words.count(draft.text.length)} characters`
            : "Enter sends, Shift+Enter adds a line"}
        </span>
        {run === null || run.left ? null : (
          <button
            type="button"
            class="danger"
            onClick={() => void Api.cancel(run.id).catch((e: unknown) => fail(wordsOf(e)))}
          >
            Stop
          </button>
        )}
        <button class="primary" disabled={isEmpty || isSending || isWanted}>
          {isBusy ? "Queue" : "Send"}
        </button>
      </div>
    </form>
  )
}
