/** The page: without a sign-in it says how to sign in, otherwise it shows the list of sessions next to the open one. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks"
import * as Route from "../model/Route.js"
import * as Rows from "../model/Rows.js"
import * as Api from "../net/Api.js"
import { load as loadLimits } from "../state/Limits.js"
import { load as loadOffers } from "../state/Offers.js"
import { OpenSession } from "../state/OpenSession.js"
import { Sessions } from "../state/Sessions.js"
import { useStore } from "../state/Store.js"
import * as Unsent from "../state/Unsent.js"
import * as Upgrade from "../state/Upgrade.js"
import { Failure, wordsOf } from "./Failure.js"
import { Help } from "./Help.js"
import { commands, SessionPage } from "./SessionPage.js"
import { SessionsPane } from "./SessionsPane.js"

// Whoever listens does so from the first moment: effects come after the paint, and what happens until then would be lost.
const useRoute = (): Route.Route => {
  const [route, set] = useState(() => Route.read(location.hash))
  useLayoutEffect(() => {
    const look = () => set(Route.read(location.hash))
    window.addEventListener("hashchange", look)
    return () => window.removeEventListener("hashchange", look)
  }, [])
  return route
}

const focus = (id: string) => document.getElementById(id)?.focus()

const isTyping = (element: EventTarget | null): boolean =>
  element instanceof HTMLElement && element.matches("input, textarea, select, [contenteditable]")

const useKeys = (shown: { readonly help: (isOpen: boolean) => void; readonly create: () => void }) => {
  useLayoutEffect(() => {
    const does: Readonly<Record<string, () => void>> = {
      "?": () => shown.help(true),
      "/": () => focus("search"),
      n: shown.create,
      m: () => focus("message"),
      f: () => focus("filter"),
      s: () => document.getElementById("settings")?.click(),
      j: () => commands.move(1),
      k: () => commands.move(-1),
      t: () => commands.jump(Rows.isTurn, 1),
      T: () => commands.jump(Rows.isTurn, -1),
      e: () => commands.jump(Rows.isError, 1),
      E: () => commands.jump(Rows.isError, -1),
      q: () => commands.jump(Rows.isQuestion, 1),
      Q: () => commands.jump(Rows.isQuestion, -1),
      o: () => commands.toggleOrder()
    }
    const pressed = (event: KeyboardEvent) => {
      const { activeElement } = document
      if (event.key === "Escape" && activeElement instanceof HTMLElement && isTyping(activeElement))
        activeElement.blur()
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (document.querySelector("dialog[open]") !== null) return
      const act = does[event.key]
      if (act === undefined) return
      event.preventDefault()
      act()
    }
    document.addEventListener("keydown", pressed)
    return () => document.removeEventListener("keydown", pressed)
  }, [])
}

const Inside = ({ signOut }: { readonly signOut: () => void }) => {
  const { seq, sessionId } = useRoute()
  const [sessions] = useState(() => new Sessions())
  const [open, setOpen] = useState<OpenSession | null>(null)
  const [isHelp, help] = useState(false)
  const [isCreating, setCreating] = useState(false)
  useKeys({ help, create: () => setCreating(true) })
  useEffect(loadOffers, [])
  useEffect(loadLimits, [])
  useEffect(() => () => sessions.close(), [])
  useEffect(() => {
    if (sessionId === null) return setOpen(null)
    const opened = new OpenSession(sessionId)
    setOpen(opened)
    return () => opened.close()
  }, [sessionId])
  const title = open === null ? "Skein" : null
  useEffect(() => {
    if (title !== null) document.title = title
  }, [title])
  const isUpgraded = useStore(Upgrade.isUpgraded, (is) => is)
  return (
    <div class={`page ${sessionId === null ? "lists" : "opens"} ${isUpgraded ? "is-old" : ""}`}>
      {isUpgraded ? (
        <p class="note upgraded" role="status">
          Skein has been upgraded.
          <button onClick={() => location.reload()}>Reload</button>
        </p>
      ) : null}
      <SessionsPane
        sessions={sessions}
        openId={sessionId}
        creating={isCreating}
        setCreating={setCreating}
        signOut={signOut}
      />
      {open === null ? (
        <main class="open alone">
          <p class="empty">
            Choose a session, or start a new one.
            <br />
            <kbd>?</kbd> shows the keyboard shortcuts.
          </p>
        </main>
      ) : (
        <SessionPage
          open={open}
          sessions={sessions}
          seq={seq}
          back={() => {
            location.hash = "#/"
          }}
        />
      )}
      {isHelp ? <Help close={() => help(false)} /> : null}
    </div>
  )
}

const SignIn = ({
  hasExpired,
  signedIn,
  why
}: {
  /** Whether somebody was signed in who did not leave. */
  readonly hasExpired: boolean
  readonly why: string | null
  readonly signedIn: () => void
}) => {
  const [typed, type] = useState("")
  const [failed, fail] = useState<string | null>(null)
  const isEntering = useRef(false)
  /** Signs in whoever the server knows; `isNew` is whether somebody has just been let in, whom it need not name. */
  const look = async (isNew: boolean) => {
    const who = await Api.who()
    if (who === null || (who === "" && !isNew)) return false
    Unsent.writtenBy(who)
    signedIn()
    return true
  }
  const enter = async (code: string) => {
    // A code is taken once: a second try would be refused, and that would sign out.
    if (isEntering.current) return
    isEntering.current = true
    try {
      await Api.login(code)
      if (!(await look(true))) fail("The browser did not keep the sign-in: does it refuse cookies?")
    } catch (error) {
      fail(wordsOf(error))
    } finally {
      isEntering.current = false
    }
  }
  useLayoutEffect(() => {
    document.title = "Skein"
    const linked = () => {
      const code = Route.code(location.hash)
      if (code === null) return
      history.replaceState(null, "", `${location.pathname}${location.search}#/`)
      void enter(code)
    }
    // They may have signed in again in another tab.
    const back = () => {
      if (hasExpired && document.visibilityState === "visible") void look(false)
    }
    window.addEventListener("hashchange", linked)
    document.addEventListener("visibilitychange", back)
    return () => {
      window.removeEventListener("hashchange", linked)
      document.removeEventListener("visibilitychange", back)
    }
  }, [hasExpired])
  return (
    <main class="sign-in">
      <h1>Skein</h1>
      <p>
        You are not signed in, or your sign-in has expired. This command, where the server runs, prints a one-time link:
      </p>
      <pre>skein token link</pre>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void enter(typed.trim().replace(/^.*#code=/, ""))
        }}
      >
        <label>
          Or paste the link or its code
          <input
            value={typed}
            onInput={(event) => type(event.currentTarget.value)}
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <button class="primary" disabled={typed.trim() === ""}>
          Sign in
        </button>
      </form>
      <Failure text={failed ?? why} />
    </main>
  )
}

/** Whether somebody is signed in, and what to say if not. */
interface Standing {
  readonly is: "in" | "expired" | "out"
  readonly why: string | null
}

/** Streams are closed before the cookie is dropped, so that none of them is refused. */
export const App = ({ isIn, why }: { readonly isIn: boolean; readonly why: string | null }) => {
  const [standing, stand] = useState<Standing>(isIn ? { is: "in", why: null } : { is: "out", why })
  useEffect(() => {
    Api.signedOut.tell = () => stand((before) => (before.is === "in" ? { is: "expired", why: null } : before))
  }, [])
  const [isLeaving, leave] = useState(false)
  useEffect(() => {
    if (!isLeaving) return
    leave(false)
    Unsent.signOut()
    Api.logout().catch((error: unknown) => {
      const why = error instanceof Error ? `You may still be signed in. ${error.message}` : null
      stand((before) => (before.is === "out" ? { ...before, why } : before))
    })
  }, [isLeaving])
  const signOut = () => {
    stand({ is: "out", why: null })
    leave(true)
  }
  return standing.is === "in" ? (
    <Inside signOut={signOut} />
  ) : (
    <SignIn hasExpired={standing.is === "expired"} why={standing.why} signedIn={() => stand({ is: "in", why: null })} />
  )
}
