/**
 * The session that is shown: loaded from the snapshot, the timeline and the transcript's end, and kept up to date by
 * events. Older entries are loaded when they come into sight. Everything that arrives within a frame is drawn together.
 */
import * as Api from "../net/Api.js"
import * as Streams from "../net/Streams.js"
import * as SessionView from "../model/SessionView.js"
import type { Entry, Event } from "../model/Wire.js"
import * as Frames from "./Frames.js"
import { Store } from "./Store.js"

/** How the view relates to the server: `gap` while it is loaded again because events are gone. */
export type Badge = "connecting" | "live" | "reconnecting" | "gap" | "ended"

export interface State {
  readonly view: SessionView.SessionView | null
  readonly badge: Badge
  /** Why there is nothing to show. */
  readonly failed: Api.Failed | null
}

/** Places per portion of a transcript. */
const portion = 200

export class OpenSession {
  readonly state = new Store<State>({ view: null, badge: "connecting", failed: null })
  private stream: Streams.Stream | null = null
  private pending: Array<Event> = []
  private readonly loading = new Set<number>()
  /** The request for all entries up to a head that is under way. */
  private asked: { readonly head: number; readonly entries: Promise<ReadonlyArray<Entry>> } | null = null
  private isClosed = false
  private readonly draw = Frames.once(() => this.flush())

  constructor(readonly id: string) {
    void this.load("connecting")
  }

  close(): void {
    this.isClosed = true
    this.stream?.close()
  }

  /** Loads all of it again, and goes on from there. */
  async load(badge: Badge): Promise<void> {
    this.stream?.close()
    this.pending = []
    this.set({ badge, failed: null })
    try {
      const snapshot = await Api.snapshot(this.id)
      const { head } = snapshot.session
      const from = Math.max(1, head - portion + 1)
      const [rows, entries, runs] = await Promise.all([
        head === 0 ? [] : Api.timeline(this.id),
        head === 0 ? [] : Api.transcript(this.id, { from, to: head }),
        snapshot.run === null ? Api.lastRuns(this.id) : []
      ])
      if (this.isClosed) return
      const view = SessionView.load(snapshot, rows, entries, runs)
      // What was loaded until now is in the view that this one replaces.
      this.loading.clear()
      this.set({ view })
      this.watch(view.cursor)
    } catch (error) {
      if (error instanceof Api.Failed) this.failedToLoad(error)
      else throw error
    }
  }

  /** Loads the entries around a place that has none yet. */
  need(seq: number): void {
    const from = Math.floor((seq - 1) / portion) * portion + 1
    const { view } = this.state.value
    if (view === null || this.loading.has(from)) return
    this.loading.add(from)
    // A portion that did not come is requested again when it comes into sight again.
    this.range(from, Math.min(from + portion - 1, view.session.head)).catch(() => this.loading.delete(from))
  }

  /** All entries up to now; fails with `Failed` if one of them cannot be loaded. */
  async whole(): Promise<ReadonlyArray<Entry>> {
    const { view } = this.state.value
    const head = view?.session.head ?? 0
    if (view === null || head === 0) return []
    const known = view.entries.slice(0, head).filter((entry) => entry !== undefined)
    if (known.length === head) return known
    if (this.asked?.head === head) return this.asked.entries
    const entries = this.range(1, head).finally(() => (this.asked = null))
    this.asked = { head, entries }
    return entries
  }

  private async range(from: number, to: number): Promise<ReadonlyArray<Entry>> {
    const entries = await Api.transcript(this.id, { from, to })
    this.state.update((state) =>
      state.view === null ? state : { ...state, view: SessionView.putEntries(state.view, entries) }
    )
    return entries
  }

  private set(changes: Partial<State>): void {
    if (!this.isClosed) this.state.update((state) => ({ ...state, ...changes }))
  }

  private failedToLoad(failed: Api.Failed): void {
    if (failed.status === 404) {
      this.set({ failed })
      return this.gone()
    }
    this.set({ failed, badge: "reconnecting" })
    if (failed.status === 401) return
    window.setTimeout(() => {
      if (!this.isClosed) void this.load("reconnecting")
    }, 2000)
  }

  private gone(): void {
    const { view } = this.state.value
    this.set({ badge: "ended", view: view === null ? null : SessionView.deleted(view) })
  }

  private watch(after: number): void {
    this.stream = Streams.session(this.id, after, {
      event: (event) => {
        this.pending.push(event)
        this.draw()
      },
      synced: () => this.set({ badge: "live" }),
      reload: () => void this.load("gap"),
      opened: () => {},
      lost: () => {
        if (this.state.value.badge !== "ended") this.set({ badge: "reconnecting" })
      },
      refused: () => this.mayTryAgain()
    })
  }

  private async mayTryAgain(): Promise<boolean> {
    try {
      await Api.listed(this.id)
      return true
    } catch (error) {
      if (!(error instanceof Api.Failed)) throw error
      if (error.status === 404) this.gone()
      return error.status !== 404 && error.status !== 401
    }
  }

  private flush(): void {
    const { view } = this.state.value
    if (view === null) return
    const next = this.pending.reduce(SessionView.fold, view)
    this.pending = []
    if (next.deleted) {
      this.stream?.close()
      this.set({ view: next, badge: "ended" })
    } else {
      this.set({ view: next })
    }
    if (next.session.head > 0 && next.entries[next.session.head - 1] === undefined) this.need(next.session.head)
  }
}
