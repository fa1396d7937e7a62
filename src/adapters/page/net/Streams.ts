/**
 * Event streams that reconnect. When `EventSource` is cut off, it goes on after the last id by itself. When it gives
 * up, as it does at any status except 200, a new one begins after the last cursor that was seen, following a wait that
 * doubles up to 30 seconds. A page that is out of sight keeps nothing open: browsers have six connections per server,
 * and six pages would take all of them.
 */
import type { Event, EventType, Hint } from "../model/Wire.js"

/** All types of events: the compiler makes sure that none is missing. */
const types: Readonly<Record<EventType, true>> = {
  "session.created": true,
  "session.renamed": true,
  "session.model": true,
  "session.agent": true,
  "session.moved": true,
  "session.deleted": true,
  "run.queued": true,
  "run.started": true,
  "run.released": true,
  "run.ended": true,
  "message.appended": true,
  "call.started": true,
  "call.finished": true,
  "permission.asked": true,
  "permission.answered": true,
  "asset.saved": true,
  "asset.deleted": true,
  other: true,
  "text.delta": true,
  "reasoning.delta": true,
  "call.arguments": true,
  "call.progress": true,
  "run.retrying": true
}

const isOf = <A>(value: unknown): value is A => typeof value === "object" && value !== null

const read = <A>(message: MessageEvent<unknown>): A | null => {
  if (typeof message.data !== "string") return null
  const value: unknown = JSON.parse(message.data)
  return isOf<A>(value) ? value : null
}

export interface Stream {
  readonly close: () => void
}

interface Source {
  readonly address: () => string
  /** Adds the listeners. */
  readonly listen: (source: EventSource) => void
  readonly opened: () => void
  /** The connection is lost and comes back by itself. */
  readonly lost: () => void
  /** The connection does not come back by itself. Returns whether to try again. */
  readonly refused: () => Promise<boolean>
}

const longestWait = 30_000

/** Keeps a stream open until it is closed. */
const keep = ({ address, listen, lost, opened, refused }: Source): Stream => {
  let source: EventSource | null = null
  let timer = 0
  let wait = 1000
  let isClosed = false

  const stop = () => {
    window.clearTimeout(timer)
    source?.close()
    source = null
  }
  const again = () => {
    timer = window.setTimeout(start, wait)
    wait = Math.min(2 * wait, longestWait)
  }
  const start = () => {
    stop()
    if (isClosed || document.visibilityState === "hidden") return
    const now = new EventSource(address())
    source = now
    listen(now)
    now.onopen = () => {
      wait = 1000
      opened()
    }
    now.onerror = () => {
      if (source !== now) return
      lost()
      if (now.readyState !== EventSource.CLOSED) return
      void refused().then((goesOn) => {
        if (goesOn && !isClosed && source === now) again()
      })
    }
  }
  const look = () => {
    if (document.visibilityState === "hidden") {
      stop()
      lost()
    } else if (source === null) {
      start()
    }
  }
  const online = () => {
    wait = 1000
    start()
  }
  document.addEventListener("visibilitychange", look)
  window.addEventListener("online", online)
  start()
  return {
    close: () => {
      isClosed = true
      document.removeEventListener("visibilitychange", look)
      window.removeEventListener("online", online)
      stop()
    }
  }
}

export interface SessionHandlers {
  readonly event: (event: Event) => void
  readonly synced: () => void
  /** Missed events can no longer be told: the session must be loaded again. */
  readonly reload: () => void
  readonly opened: () => void
  readonly lost: () => void
  readonly refused: () => Promise<boolean>
}

/** The events of a session after a cursor. */
export const session = (id: string, after: number, handlers: SessionHandlers): Stream => {
  let cursor = after
  return keep({
    ...handlers,
    address: () => `v1/sessions/${encodeURIComponent(id)}/events?after=${cursor}&deltas=1&entries=1`,
    listen: (source) => {
      for (const type of Object.keys(types)) {
        source.addEventListener(type, (message: MessageEvent<unknown>) => {
          const event = read<Event>(message)
          if (event === null) return
          if ("cursor" in event) cursor = event.cursor
          handlers.event(event)
        })
      }
      source.addEventListener("synced", handlers.synced)
      source.addEventListener("reload", handlers.reload)
    }
  })
}

export interface HintHandlers {
  readonly hint: (hint: Hint) => void
  /** Hints are not kept: what was missed is in the list. */
  readonly opened: () => void
  readonly lost: () => void
  readonly refused: () => Promise<boolean>
}

/** Hints of all sessions, over a connection of this page's own. */
const ownHints = (handlers: HintHandlers): Stream =>
  keep({
    ...handlers,
    address: () => "v1/events",
    listen: (source) => {
      for (const type of [...Object.keys(types), "gap"]) {
        source.addEventListener(type, (message: MessageEvent<unknown>) => {
          const hint = read<Hint>(message)
          if (hint !== null) handlers.hint(hint)
        })
      }
    }
  })

/**
 * Hints of all sessions. Of the pages of a server that are in sight, the one with the lock has the connection, and
 * passes on what it is told to the others.
 */
export const hints = (handlers: HintHandlers): Stream => {
  // Browsers have locks only for pages from loopback or over https.
  if (!("locks" in navigator)) return ownHints(handlers)
  const name = `skein hints ${location.pathname}`
  const channel = new BroadcastChannel(name)
  let leave: (() => void) | null = null
  const told = (hint: Hint) => {
    handlers.hint(hint)
    channel.postMessage(hint)
  }
  const join = () => {
    const waiting = new AbortController()
    let lead: (() => void) | null = null
    leave = () => {
      waiting.abort()
      lead?.()
      leave = null
    }
    const leading = () =>
      new Promise<void>((done) => {
        const opened = () => told({ kind: "gap" })
        const stream = ownHints({ ...handlers, hint: told, opened })
        lead = () => {
          stream.close()
          done()
        }
      })
    navigator.locks.request(name, { signal: waiting.signal }, leading).catch(() => {
      // The page left before it had the lock.
    })
  }
  const look = () => {
    if (document.visibilityState === "hidden") {
      leave?.()
    } else if (leave === null) {
      handlers.opened()
      join()
    }
  }
  channel.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (isOf<Hint>(data)) handlers.hint(data)
  }
  document.addEventListener("visibilitychange", look)
  look()
  return {
    close: () => {
      document.removeEventListener("visibilitychange", look)
      channel.close()
      leave?.()
    }
  }
}
