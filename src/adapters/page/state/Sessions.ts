/**
 * The list of sessions. Hints say which have changed; those are read again, each at most three times a second. After a
 * lost connection the first page is loaded again. A late answer never replaces a newer one.
 */
import * as Api from "../net/Api.js"
import * as Streams from "../net/Streams.js"
import * as SessionList from "../model/SessionList.js"
import { activityOf, type SessionView } from "../model/SessionView.js"
import type { SessionPage } from "../model/Wire.js"
import { Store } from "./Store.js"
import * as Upgrade from "./Upgrade.js"

export interface State {
  readonly list: SessionList.SessionList
  readonly search: string
  readonly isLoading: boolean
  readonly failed: string | null
}

const pause = 300

export class Sessions {
  readonly state = new Store<State>({ list: SessionList.empty, search: "", isLoading: true, failed: null })
  private asked = 0
  /** The cursor of the next page while that page is on its way. */
  private next: string | null = null
  private readonly changed = new Set<string>()
  /** Sessions that were deleted since the stream began: an answer that is on its way may still have them. */
  private readonly deleted = new Set<string>()
  private timer = 0
  private readonly stream: Streams.Stream

  constructor() {
    const again = () => {
      this.deleted.clear()
      void this.load()
      Upgrade.check()
    }
    this.stream = Streams.hints({
      hint: (hint) => {
        if (hint.kind === "gap") return again()
        this.update((list) => SessionList.hint(list, hint))
        if (hint.kind === "session.deleted") {
          this.deleted.add(hint.sessionId)
        } else {
          this.deleted.delete(hint.sessionId)
          this.look(hint.sessionId)
        }
      },
      opened: again,
      lost: () => {},
      refused: () => Api.isKnown()
    })
  }

  close(): void {
    this.stream.close()
  }

  search(search: string): void {
    this.state.update((state) => ({ ...state, search, list: SessionList.empty, isLoading: true }))
    void this.load()
  }

  async load(): Promise<void> {
    const asked = ++this.asked
    try {
      const page = await Api.sessions(this.state.value.search)
      if (asked !== this.asked) return
      this.state.update((state) => ({
        ...state,
        isLoading: false,
        failed: null,
        list: SessionList.first(state.list, this.withoutDeleted(page))
      }))
    } catch (error) {
      if (!(error instanceof Api.Failed)) throw error
      if (asked === this.asked) this.state.update((state) => ({ ...state, isLoading: false, failed: error.message }))
    }
  }

  async more(): Promise<void> {
    const { list, search } = this.state.value
    if (list.next === null || list.next === this.next) return
    const asked = this.asked
    this.next = list.next
    try {
      const page = await Api.sessions(search, list.next)
      if (asked !== this.asked) return
      this.state.update((state) => ({
        ...state,
        failed: null,
        list: SessionList.more(state.list, this.withoutDeleted(page))
      }))
    } catch (error) {
      if (!(error instanceof Api.Failed)) throw error
      const failed = `No more sessions could be loaded. ${error.message}`
      if (asked === this.asked) this.state.update((state) => ({ ...state, failed }))
    } finally {
      if (this.next === list.next) this.next = null
    }
  }

  /** What the open session tells needs no further request. */
  tell(view: SessionView): void {
    if (view.deleted) return this.forget(view.session.id)
    this.update((list) =>
      list.sessions.some(({ id }) => id === view.session.id)
        ? SessionList.put(list, {
            ...view.session,
            cursor: view.cursor,
            updatedAt: Math.max(view.seenAt, view.session.updatedAt),
            activity: activityOf(view)
          })
        : list
    )
  }

  forget(sessionId: string): void {
    this.update((list) => SessionList.without(list, sessionId))
  }

  private withoutDeleted(page: SessionPage): SessionPage {
    return { ...page, sessions: page.sessions.filter(({ id }) => !this.deleted.has(id)) }
  }

  private update(change: (list: SessionList.SessionList) => SessionList.SessionList): void {
    this.state.update((state) => {
      const list = change(state.list)
      return list === state.list ? state : { ...state, list }
    })
  }

  private look(sessionId: string): void {
    this.changed.add(sessionId)
    if (this.timer !== 0) return
    this.timer = window.setTimeout(() => {
      this.timer = 0
      const ids = [...this.changed]
      this.changed.clear()
      if (ids.length > 5) return void this.load()
      for (const id of ids) void this.read(id)
    }, pause)
  }

  private async read(id: string): Promise<void> {
    const { list, search } = this.state.value
    const known = list.sessions.find((session) => session.id === id)
    // Only the server can tell whether a session that is new here matches the search.
    if (known === undefined) return this.load()
    try {
      const session = await Api.listed(id)
      if (this.state.value.search !== search || this.deleted.has(id)) return
      this.update((list) => {
        const activity = list.sessions.find((other) => other.id === id)?.activity ?? known.activity
        return SessionList.put(list, { ...session, activity })
      })
    } catch (error) {
      if (!(error instanceof Api.Failed)) throw error
      if (error.status === 404) this.forget(id)
    }
  }
}
