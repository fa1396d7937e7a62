/** A session: its transcript and composer on one side, its strands on the other. */
import { useEffect, useMemo, useState } from "preact/hooks"
import * as Rows from "../model/Rows.js"
import type { SessionView } from "../model/SessionView.js"
import * as Api from "../net/Api.js"
import type { OpenSession } from "../state/OpenSession.js"
import * as Pointing from "../state/Pointing.js"
import type { Sessions } from "../state/Sessions.js"
import { useStore } from "../state/Store.js"
import * as Unsent from "../state/Unsent.js"
import { Composer } from "./Composer.js"
import { Failure, wordsOf } from "./Failure.js"
import { Questions } from "./Questions.js"
import { SessionHead } from "./SessionHead.js"
import { titleOf } from "./SessionsPane.js"
import { Strands } from "./Strands.js"
import { Transcript } from "./Transcript.js"
import { CallRow, EndedRow, LiveRow, MessageRow } from "./TranscriptRow.js"

/** What keys and buttons do with the open session. */
export const commands = {
  jump: (_: (row: Rows.Row) => boolean, _direction: 1 | -1): void => {},
  move: (_: 1 | -1): void => {},
  toggleOrder: (): void => {}
}

const Filter = ({
  kind,
  set,
  text,
  shown,
  total
}: {
  readonly kind: Rows.Kind
  readonly text: string
  readonly shown: number
  readonly total: number
  readonly set: (kind: Rows.Kind, text: string) => void
}) => (
  <div class="filter" role="search">
    <select
      aria-label="Filter by kind"
      value={kind}
      onChange={({ currentTarget: { value } }) => set(Rows.kinds.find((one) => one === value) ?? "all", text)}
    >
      {Rows.kinds.map((one) => (
        <option value={one}>{one === "all" ? "everything" : one}</option>
      ))}
    </select>
    <input
      id="filter"
      type="search"
      placeholder="Filter"
      aria-label="Filter by text"
      value={text}
      onInput={({ currentTarget: { value } }) => set(kind, value)}
    />
    <span class="note">{shown === total ? `${total}` : `${shown} of ${total}`}</span>
    <span class="jumps" role="group" aria-label="Go to the next">
      <button class="quiet" title="Next turn (t)" onClick={() => commands.jump(Rows.isTurn, 1)}>
        turn
      </button>
      <button class="quiet" title="Next error (e)" onClick={() => commands.jump(Rows.isError, 1)}>
        error
      </button>
      <button class="quiet" title="Next question (q)" onClick={() => commands.jump(Rows.isQuestion, 1)}>
        question
      </button>
    </span>
  </div>
)

/** Loads the whole transcript for a filter, again whenever the filter or the connection has changed. */
const useWhole = (open: OpenSession, isNeeded: boolean, changes: ReadonlyArray<unknown>) => {
  const [state, set] = useState<{ readonly isLoading: boolean; readonly failed: string | null }>({
    isLoading: false,
    failed: null
  })
  useEffect(() => {
    let isOver = false
    const put = (isLoading: boolean, failed: string | null) => {
      if (!isOver) set({ isLoading, failed })
    }
    put(isNeeded, null)
    if (isNeeded) {
      open.whole().then(
        () => put(false, null),
        (error: unknown) => put(false, wordsOf(error))
      )
    }
    return () => {
      isOver = true
    }
  }, [open, isNeeded, ...changes])
  return state
}

/** What was dropped: files, and the names of folders, which cannot be attached. */
const droppedOf = (dropped: DataTransfer | null) => {
  const items = [...(dropped?.items ?? [])].filter(({ kind }) => kind === "file")
  const folderOf = (item: DataTransferItem) => {
    const entry = item.webkitGetAsEntry()
    return entry?.isDirectory === true ? [entry.name] : []
  }
  const files = items.filter((item) => folderOf(item).length === 0).map((item) => item.getAsFile())
  return { files: files.filter((file) => file !== null), folders: items.flatMap(folderOf) }
}

const Shown = ({
  back,
  open,
  seq,
  sessions,
  view
}: {
  readonly open: OpenSession
  readonly sessions: Sessions
  readonly view: SessionView
  readonly seq: number | null
  readonly back: () => void
}) => {
  const badge = useStore(open.state, (state) => state.badge)
  const [kind, setKind] = useState<Rows.Kind>("all")
  const [text, setText] = useState("")
  const [order, setOrder] = useState<"asked" | "finished">("asked")
  const [isStrands, setStrands] = useState(false)
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set())
  const [failed, fail] = useState<string | null>(null)
  const { session } = view
  const filtered = kind !== "all" || text !== ""
  const search = useWhole(open, filtered, [kind, text, badge])

  const all = useMemo(
    () => Rows.of(view),
    [view.entries, view.steps, session.head, view.live === null, view.live?.seq, view.ended, view.run]
  )
  const rows = useMemo(() => Rows.filter(all, kind, text.trim()), [all, kind, text])
  const steps = useMemo(() => new Map(view.steps.map((step) => [step.seq, step])), [view.steps])

  useEffect(() => sessions.tell(view), [view.cursor, view.questions.length, view.run?.left])
  const asks = view.questions.length > 0
  useEffect(() => {
    const title = titleOf(session)
    document.title = asks ? `? ${title}` : `${title} · Skein`
  }, [session.title, asks])
  useEffect(() => {
    Pointing.target.set(null)
    Pointing.current.set(0)
    if (seq !== null) Pointing.goTo(seq)
  }, [seq, open])

  commands.jump = (holds, direction) => {
    const found = Rows.next(rows, Pointing.current.value, holds, direction)
    if (found !== undefined) Pointing.goTo(found.seq)
  }
  commands.move = (direction) => commands.jump(() => true, direction)
  commands.toggleOrder = () => setOrder(order === "asked" ? "finished" : "asked")

  const resume = () => {
    fail(null)
    void Api.resume(session.id).catch((error: unknown) => fail(wordsOf(error, "")))
  }
  const toggle = (key: string) => {
    const now = new Set(opened)
    if (!now.delete(key)) now.add(key)
    setOpened(now)
  }
  const toggled = useMemo(() => ({ toggle }), [])
  toggled.toggle = toggle
  const stable = useMemo(() => (key: string) => toggled.toggle(key), [])

  const draw = (row: Rows.Row) => {
    switch (row.kind) {
      case "message":
        return <MessageRow row={row} sessionId={session.id} />
      case "call":
        return (
          <CallRow
            row={row}
            step={steps.get(row.call.step)}
            progress={view.progress.get(row.call.callId)}
            sessionId={session.id}
            isOpen={opened.has(row.key)}
            toggle={stable}
          />
        )
      case "live":
        return <LiveRow live={view.live} seq={row.seq} />
      case "ended":
        return view.ended === null ? null : <EndedRow ended={view.ended} resume={resume} />
    }
  }

  return (
    <main
      class={`open ${isStrands ? "shows-strands" : ""}`}
      onDrop={({ dataTransfer }) => {
        if (view.deleted) return
        const { files, folders } = droppedOf(dataTransfer)
        Unsent.of(session.id).attach(files, folders)
      }}
    >
      <SessionHead
        open={open}
        view={view}
        badge={badge}
        back={back}
        panes={{ isStrands, toggle: () => setStrands(!isStrands) }}
      />
      <section class="work" aria-label="Session">
        <h2 class="unseen">Transcript</h2>
        <Filter
          kind={kind}
          text={text}
          shown={rows.length}
          total={all.length}
          set={(kind, text) => {
            setKind(kind)
            setText(text)
          }}
        />
        <Failure text={search.failed === null ? null : `Not all messages were searched. ${search.failed}`} />
        <Transcript
          rows={rows}
          row={draw}
          need={(seq) => open.need(seq)}
          empty={
            search.failed === null ? (
              <p class="empty">
                {search.isLoading
                  ? "Loading…"
                  : filtered
                    ? "Nothing here matches the filter."
                    : "No messages yet. What you send is the first."}
              </p>
            ) : null
          }
        />
        {view.run?.left === true ? (
          <p class="left" role="status">
            <b>The run was interrupted:</b> its engine is gone or has stopped. Everything it stored is here.
            <button onClick={resume}>Resume</button>
          </p>
        ) : null}
        <Failure text={failed} />
        {view.deleted ? (
          <p class="left" role="status">
            <b>This session was deleted.</b> The page still shows what was in it.
          </p>
        ) : (
          <>
            <Questions questions={view.questions} />
            <Composer key={session.id} view={view} />
          </>
        )}
      </section>
      <Strands view={view} order={order} setOrder={setOrder} />
    </main>
  )
}

export const SessionPage = ({
  back,
  open,
  seq,
  sessions
}: {
  readonly open: OpenSession
  readonly sessions: Sessions
  readonly seq: number | null
  readonly back: () => void
}) => {
  const { failed, view } = useStore(open.state, (state) => state)
  useEffect(() => {
    if (view === null) document.title = "Skein"
  }, [view === null])
  if (view !== null) return <Shown key={open.id} open={open} sessions={sessions} view={view} seq={seq} back={back} />
  return (
    <main class="open alone">
      <h1 class="unseen">Session</h1>
      <p class="empty">
        {failed === null
          ? "Loading…"
          : failed.status === 404
            ? "There is no such session. It may have been deleted, or it belongs to somebody else."
            : `${failed.message}. Trying again.`}
        <a href="#/">All sessions</a>
      </p>
    </main>
  )
}
