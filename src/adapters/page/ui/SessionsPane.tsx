/** The list of sessions: the last changed first, with the activity of each. */
import { useEffect, useRef, useState } from "preact/hooks"
import * as Offers from "../model/Offers.js"
import * as Visible from "../model/Visible.js"
import * as Words from "../model/Words.js"
import type { Listed } from "../model/Wire.js"
import * as Api from "../net/Api.js"
import { offers } from "../state/Offers.js"
import type { Sessions } from "../state/Sessions.js"
import { useStore } from "../state/Store.js"
import { AgentAndModel } from "./Choice.js"
import { Failure } from "./Failure.js"
import { FormDialog } from "./FormDialog.js"
import { ActivityMark } from "./Mark.js"
import { memo } from "./memo.js"

export const titleOf = ({ title }: { readonly title: string }): string => Visible.line(title) || "Untitled"

const Item = memo(
  ({ isOpen, now, session }: { readonly session: Listed; readonly isOpen: boolean; readonly now: number }) => {
    const { activity, usage } = session
    const cost = Words.cost(usage.costMicroUsd)
    const model = useStore(offers, (agents) => Offers.nextModel(agents, session)?.model ?? "")
    return (
      <li>
        <a class={`session of-${activity}`} href={`#/${session.id}`} aria-current={isOpen ? "page" : undefined}>
          <ActivityMark activity={activity} />
          <span class="title" dir="auto">
            {titleOf(session)}
          </span>
          <span class="age">{Words.ago(now - session.updatedAt)}</span>
          <span class="about">
            {activity === "idle" ? null : <b>{Words.activities[activity]}</b>}
            {model === "" ? null : <span class="model">{Visible.line(model)}</span>}
            <span>{Words.tokens(usage)}</span>
            {cost === "" ? null : <span>{cost}</span>}
          </span>
        </a>
      </li>
    )
  }
)

const NewSession = ({ close }: { readonly close: () => void }) => {
  const [title, setTitle] = useState("")
  const [workdir, setWorkdir] = useState("")
  const [wanted, want] = useState(Offers.nothing)
  const agents = useStore(offers, (all) => all)
  const create = async () => {
    const agent = wanted.agent.trim()
    const model = Offers.modelWanted(agents, wanted)
    const { id } = await Api.create({
      ...(title === "" ? {} : { title }),
      ...(workdir === "" ? {} : { workdir }),
      ...(agent === "" ? {} : { agent }),
      ...(model === null ? {} : { model })
    })
    return `#/${id}`
  }
  return (
    <FormDialog title="New session" label="Create" does={create} close={close}>
      <label>
        Title
        <input
          value={title}
          onInput={(event) => setTitle(event.currentTarget.value)}
          placeholder="Taken from the first message"
        />
      </label>
      <label>
        Folder
        <input
          value={workdir}
          onInput={(event) => setWorkdir(event.currentTarget.value)}
          placeholder="/path on the server; empty for its root folder"
        />
      </label>
      <AgentAndModel wanted={wanted} set={(more) => want({ ...wanted, ...more })} when="" />
    </FormDialog>
  )
}

export const SessionsPane = ({
  creating,
  openId,
  sessions,
  setCreating,
  signOut
}: {
  readonly sessions: Sessions
  readonly openId: string | null
  readonly creating: boolean
  readonly setCreating: (creating: boolean) => void
  readonly signOut: () => void
}) => {
  const { failed, isLoading, list, search } = useStore(sessions.state, (state) => state)
  const [now, tick] = useState(() => Date.now())
  const typing = useRef(0)
  useEffect(() => {
    const timer = window.setInterval(() => tick(Date.now()), 30_000)
    return () => window.clearInterval(timer)
  }, [])
  // An open session has the first heading.
  const Name = openId === null ? "h1" : "p"
  return (
    <nav class="sessions" aria-label="Sessions">
      <header>
        <Name class="name">Skein</Name>
        <button class="primary" onClick={() => setCreating(true)}>
          New
        </button>
      </header>
      <input
        id="search"
        type="search"
        placeholder="Search titles"
        aria-label="Search titles"
        onInput={(event) => {
          const { value } = event.currentTarget
          window.clearTimeout(typing.current)
          typing.current = window.setTimeout(() => sessions.search(value), 150)
        }}
      />
      <Failure text={failed} />
      <ul
        tabIndex={-1}
        onScroll={({ currentTarget: { clientHeight, scrollHeight, scrollTop } }) => {
          if (scrollTop + clientHeight > scrollHeight - 200) void sessions.more()
        }}
      >
        {list.sessions.map((session) => (
          <Item key={session.id} session={session} isOpen={session.id === openId} now={now} />
        ))}
        {list.next === null ? null : (
          <li>
            <button class="quiet" onClick={() => void sessions.more()}>
              Show more
            </button>
          </li>
        )}
      </ul>
      {list.sessions.length > 0 || failed !== null ? null : (
        <p class="empty">
          {isLoading
            ? "Loading…"
            : search === ""
              ? "No sessions yet. Create the first one with New."
              : `No title contains “${search}”.`}
        </p>
      )}
      {list.damaged === 0 ? null : (
        <p class="note bad">{Words.counted(list.damaged, "session")} cannot be read; skein doctor says why.</p>
      )}
      <footer>
        <button class="quiet" onClick={signOut}>
          Sign out
        </button>
      </footer>
      {creating ? <NewSession close={() => setCreating(false)} /> : null}
    </nav>
  )
}
