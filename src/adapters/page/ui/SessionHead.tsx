/** The session's title, its settings, and the actions on the whole session. */
import { useEffect, useRef, useState } from "preact/hooks"
import * as MarkdownExport from "../model/MarkdownExport.js"
import * as Offers from "../model/Offers.js"
import type { SessionView } from "../model/SessionView.js"
import * as Visible from "../model/Visible.js"
import type { Asset, OfferedAgent, Session } from "../model/Wire.js"
import * as Words from "../model/Words.js"
import * as Api from "../net/Api.js"
import { offers } from "../state/Offers.js"
import type { Badge, OpenSession } from "../state/OpenSession.js"
import { useStore } from "../state/Store.js"
import { AgentAndModel } from "./Choice.js"
import { Dialog } from "./Dialog.js"
import { Failure, wordsOf } from "./Failure.js"
import { File } from "./Files.js"
import { FormDialog } from "./FormDialog.js"
import { BadgeMark } from "./Mark.js"
import { save } from "./save.js"
import { titleOf } from "./SessionsPane.js"

const fileName = ({ id, title }: Session): string =>
  Visible.line(title)
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 60) || id

/** A field that the person has not touched follows the session, which others may change in the meantime. */
const Settings = ({ close, session }: { readonly session: Session; readonly close: () => void }) => {
  const [typed, type] = useState<string | null>(null)
  const title = typed ?? session.title
  const before = Offers.wantedOf(session)
  const [chosen, choose] = useState<Partial<Offers.Wanted>>({})
  const wanted = { ...before, ...chosen }
  const agents = useStore(offers, (all) => all)
  const store = async () => {
    const { agent, effort, model } = wanted
    const isModelChanged = model !== before.model || effort !== before.effort
    const changes: Api.Changes = {
      ...(title === session.title ? {} : { title }),
      ...(isModelChanged ? { model: Offers.modelWanted(agents, wanted, session.model) } : {}),
      ...(agent === before.agent ? {} : { agent: agent.trim() === "" ? null : agent.trim() })
    }
    if (Object.keys(changes).length > 0) await Api.patch(session.id, changes)
    return undefined
  }
  return (
    <FormDialog title="Session settings" label="Save" does={store} close={close}>
      <label>
        Title
        <input value={title} onInput={(event) => type(event.currentTarget.value)} />
      </label>
      <AgentAndModel wanted={wanted} set={(more) => choose({ ...chosen, ...more })} when=", from the next step on" />
    </FormDialog>
  )
}

const Delete = ({ close, session }: { readonly session: Session; readonly close: () => void }) => {
  const remove = async () => {
    await Api.remove(session.id)
    return "#/"
  }
  return (
    <FormDialog title="Delete this session?" label="Delete" leave="Keep it" isDangerous does={remove} close={close}>
      <p>
        <b>{titleOf(session)}</b> will be deleted for good, with its {Words.counted(session.head, "message")} and all
        its files. Its run, if any, is stopped.
      </p>
    </FormDialog>
  )
}

const AllFiles = ({
  close,
  files,
  session
}: {
  readonly session: Session
  readonly files: number
  readonly close: () => void
}) => {
  const [shown, show] = useState<ReadonlyArray<Asset> | string | null>(null)
  useEffect(() => {
    let isOver = false
    const put = (found: ReadonlyArray<Asset> | string) => {
      if (!isOver) show(found)
    }
    Api.assets(session.id).then(put, (error: unknown) => put(wordsOf(error)))
    return () => {
      isOver = true
    }
  }, [session.id, files])
  return (
    <Dialog title="Files" close={close}>
      {shown === null ? <p class="note">Loading…</p> : null}
      {typeof shown === "string" ? <p class="note bad">{shown}</p> : null}
      {Array.isArray(shown) && shown.length === 0 ? <p class="note">This session has no files.</p> : null}
      {typeof shown === "string" || shown === null
        ? null
        : shown.map(({ id, mediaType, name, size }) => (
            <File key={id} sessionId={session.id} file={{ assetId: id, mediaType, size, name: name ?? undefined }} />
          ))}
      <p class="buttons">
        <button onClick={close}>Close</button>
      </p>
    </Dialog>
  )
}

/** The agent and the model of the next step, if they are known. */
const settingOf = (agents: ReadonlyArray<OfferedAgent>, session: Session): string => {
  const agent = session.agent ?? Offers.agentNamed(agents, "")?.name
  const model = Offers.nextModel(agents, session)
  const names = [...(agent === undefined ? [] : [agent]), ...(model === undefined ? [] : [Offers.nameOf(model)])]
  return Visible.line(names.join(" · ")) || "agent, model"
}

export const SessionHead = ({
  back,
  badge,
  open,
  panes,
  view
}: {
  readonly open: OpenSession
  readonly view: SessionView
  readonly badge: Badge
  readonly back: () => void
  /** Shows the strands instead of the transcript, on narrow screens. */
  readonly panes: { readonly isStrands: boolean; readonly toggle: () => void }
}) => {
  const { session } = view
  const agents = useStore(offers, (all) => all)
  const [shown, show] = useState<"settings" | "delete" | "files" | null>(null)
  const [failed, fail] = useState<string | null>(null)
  const menu = useRef<HTMLDetailsElement>(null)
  const close = () => show(null)
  /** The focus of what is hidden with the menu goes to what opens it. */
  const closeMenu = () => {
    if (menu.current === null) return
    if (menu.current.contains(document.activeElement)) menu.current.querySelector("summary")?.focus()
    menu.current.open = false
  }
  useEffect(() => {
    const look = (event: Event) => {
      const isElsewhere = event.target instanceof Node && menu.current?.contains(event.target) !== true
      const isEscape = event instanceof KeyboardEvent && event.key === "Escape"
      if (isEscape || (isElsewhere && event.type === "pointerdown")) closeMenu()
    }
    document.addEventListener("pointerdown", look)
    document.addEventListener("keydown", look)
    return () => {
      document.removeEventListener("pointerdown", look)
      document.removeEventListener("keydown", look)
    }
  }, [])
  const choose = (what: () => void) => () => {
    closeMenu()
    what()
  }
  const exported = async (form: "json" | "md") => {
    fail(null)
    try {
      const entries = await open.whole()
      if (form === "md") return save(`${fileName(session)}.md`, "text/markdown", MarkdownExport.of(session, entries))
      save(`${fileName(session)}.json`, "application/json", JSON.stringify({ session, entries }, null, 2))
    } catch (error) {
      fail(`Nothing was saved. ${wordsOf(error)}`)
    }
  }
  return (
    <header class="head-of-session">
      <button class="quiet only-narrow" onClick={back} aria-label="All sessions">
        ‹
      </button>
      <h1 dir="auto" title={titleOf(session)}>
        {titleOf(session)}
      </h1>
      <BadgeMark badge={badge} />
      <span class="note about">
        <button
          id="settings"
          class="quiet"
          onClick={() => show("settings")}
          title="Agent and model of the next step (s)"
        >
          {settingOf(agents, session)}
        </button>
        {session.workdir === null ? null : (
          <span class="path" title="Its folder on the server">
            {Visible.line(session.workdir)}
          </span>
        )}
      </span>
      <button class="quiet only-narrow" onClick={panes.toggle} aria-pressed={panes.isStrands}>
        {panes.isStrands ? "Transcript" : "Strands"}
      </button>
      <details class="menu" ref={menu}>
        <summary aria-label="More">⋯</summary>
        <div>
          <button onClick={choose(() => show("settings"))}>Title, model, agent…</button>
          <button onClick={choose(() => show("files"))}>Files…</button>
          <button onClick={choose(() => void exported("md"))}>Export as Markdown</button>
          <button onClick={choose(() => void exported("json"))}>Export as JSON</button>
          <a href={Api.exportPath(session.id)} download={`${fileName(session)}.jsonl`} onClick={choose(() => {})}>
            Export for skein import
          </a>
          <button class="bad" onClick={choose(() => show("delete"))}>
            Delete…
          </button>
        </div>
      </details>
      <Failure text={failed} />
      {shown === "settings" ? <Settings session={session} close={close} /> : null}
      {shown === "delete" ? <Delete session={session} close={close} /> : null}
      {shown === "files" ? <AllFiles session={session} files={view.files} close={close} /> : null}
    </header>
  )
}
