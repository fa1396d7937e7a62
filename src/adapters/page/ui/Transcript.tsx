/**
 * The transcript: only the rows in sight are in the page. Rows have their natural heights: rows that were seen are
 * measured, others are estimated. What is in sight stays where it is when something above it changes its height, and a
 * reader at the end stays at the end.
 */
import type { ComponentChildren } from "preact"
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef } from "preact/hooks"
import * as Heights from "../model/Heights.js"
import type { Row } from "../model/Rows.js"
import { textOf } from "../model/Wire.js"
import * as Pointing from "../state/Pointing.js"
import { useStore } from "../state/Store.js"

const estimateOf = (row: Row): number => {
  switch (row.kind) {
    case "call":
      return 36
    case "live":
    case "ended":
      return 90
    case "message":
      return row.entry === undefined ? 36 : 48 + Math.min(4000, Math.ceil(textOf(row.entry.message).length / 90) * 21)
  }
}

interface Anchor {
  /** The first row in sight, and how much of it is above. The anchor is null at the end. */
  readonly key: string
  readonly above: number
}

const indexOf = (rows: ReadonlyArray<Row>, seq: number): number => {
  const exact = rows.findIndex((row) => row.seq >= seq)
  return exact === -1 ? rows.length - 1 : exact
}

export const Transcript = ({
  empty,
  need,
  row: draw,
  rows
}: {
  readonly rows: ReadonlyArray<Row>
  readonly row: (row: Row) => ComponentChildren
  readonly empty: ComponentChildren
  /** Loads the entry at a place. */
  readonly need: (seq: number) => void
}) => {
  const box = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const [, redraw] = useReducer<number, undefined>((n) => n + 1, 0)
  const measured = useRef(new Map<string, number>()).current
  const anchor = useRef<Anchor | null>(null)
  const before = useRef<{ readonly anchor: Anchor | null } | null>(null)
  const height = useRef(800)
  /** The last known scroll position. Any other position means that somebody scrolled and the event is yet to come. */
  const known = useRef(0)

  const goal = useStore(Pointing.target, (target) => target?.seq ?? null)
  const keys = useMemo(() => rows.map(({ key }) => key), [rows])
  const offsets = Heights.offsets(keys, measured, (index) => {
    const row = rows[index]
    return row === undefined ? 0 : estimateOf(row)
  })
  const total = offsets[keys.length] ?? 0
  const end = Math.max(0, total - height.current)
  const at = anchor.current === null ? -1 : keys.indexOf(anchor.current.key)
  const top = at === -1 ? end : Math.min(end, Math.max(0, (offsets[at] ?? 0) + (anchor.current?.above ?? 0)))
  const [first, last] = Heights.between(offsets, top, top + height.current, 8)
  const shown = rows.slice(first, last)

  /** Takes over the position that somebody scrolled to; returns false when nobody did. */
  const scrolled = (): boolean => {
    const element = box.current
    if (element === null || Math.abs(element.scrollTop - known.current) < 1) return false
    const now = element.scrollTop
    const wasCutShort = now < known.current && now + element.clientHeight >= element.scrollHeight - 1
    known.current = now
    // The content became too short for the old position: the browser scrolled, not a person.
    if (wasCutShort) return false
    before.current = null
    const index = Heights.indexAt(offsets, now)
    const key = keys[index]
    Pointing.current.set(rows[index]?.seq ?? 0)
    anchor.current =
      key === undefined || now + element.clientHeight >= element.scrollHeight - 16
        ? null
        : { key, above: now - (offsets[index] ?? 0) }
    redraw(undefined)
    return true
  }

  const show = (seq: number) => {
    const row = rows[indexOf(rows, seq)]
    if (row === undefined) return
    anchor.current = { key: row.key, above: -Math.min(120, height.current / 4) }
    redraw(undefined)
  }

  useLayoutEffect(() => {
    let changed = false
    for (const element of content.current?.children ?? []) {
      if (!(element instanceof HTMLElement) || element.dataset["key"] === undefined) continue
      const now = element.getBoundingClientRect().height
      if (Math.abs((measured.get(element.dataset["key"]) ?? -1) - now) > 0.5) {
        measured.set(element.dataset["key"], now)
        changed = true
      }
    }
    const element = box.current
    if (element === null || scrolled()) return
    if (changed) return redraw(undefined)
    if (Math.abs(element.scrollTop - top) > 1) {
      element.scrollTop = top
      known.current = element.scrollTop
    }
  })

  const missing = shown.find((row) => row.kind !== "live" && row.kind !== "ended" && row.entry === undefined)
  const missingAt = missing?.kind === "message" || missing?.kind === "call" ? missing.seq : 0
  const isStored = missing?.kind === "message" || (missing?.kind === "call" && missing.call.outcome !== null)
  useEffect(() => {
    if (missingAt > 0 && isStored) need(missingAt)
  })

  useEffect(() => {
    const sizes = new ResizeObserver((changes) => {
      for (const { contentRect, target } of changes) {
        if (target !== box.current || box.current === null) continue
        const { dataset } = box.current
        height.current = contentRect.height
        if (Number(dataset["width"]) !== contentRect.width) measured.clear()
        dataset["width"] = String(contentRect.width)
      }
      redraw(undefined)
    })
    const mutations = new MutationObserver(() => {
      for (const element of content.current?.children ?? []) sizes.observe(element)
    })
    if (box.current !== null) sizes.observe(box.current)
    if (content.current !== null) {
      mutations.observe(content.current, { childList: true })
      for (const element of content.current.children) sizes.observe(element)
    }
    return () => {
      sizes.disconnect()
      mutations.disconnect()
    }
  }, [])

  useEffect(
    () =>
      Pointing.target.subscribe(() => {
        before.current = null
        const goal = Pointing.target.value
        if (goal === null) return
        if (goal.seq !== Infinity) return show(goal.seq)
        anchor.current = null
        redraw(undefined)
      }),
    [rows]
  )
  useEffect(
    () =>
      Pointing.peeked.subscribe(() => {
        const seq = Pointing.peeked.value
        if (seq !== null) {
          before.current ??= { anchor: anchor.current }
          const index = indexOf(rows, seq)
          const from = offsets[index] ?? 0
          if (from < top || from + 60 > top + height.current) show(seq)
        } else if (before.current !== null) {
          anchor.current = before.current.anchor
          before.current = null
          redraw(undefined)
        }
      }),
    [rows, top]
  )

  return (
    <div class="scroller">
      <div class="transcript" ref={box} onScroll={scrolled} tabIndex={0} role="region" aria-label="Transcript">
        {rows.length === 0 ? empty : null}
        <div
          class="rows"
          role={rows.length === 0 ? undefined : "feed"}
          aria-label={rows.length === 0 ? undefined : "Messages and results"}
          ref={content}
        >
          <div style={{ height: `${offsets[first] ?? 0}px` }} />
          {shown.map((row, index) => (
            <div
              class={row.seq === goal ? "slot goal" : "slot"}
              key={row.key}
              data-key={row.key}
              role="article"
              aria-posinset={first + index + 1}
              aria-setsize={rows.length}
            >
              {draw(row)}
            </div>
          ))}
          <div style={{ height: `${Math.max(0, total - (offsets[last] ?? total))}px` }} />
        </div>
      </div>
      {anchor.current === null || rows.length === 0 ? null : (
        <button class="to-end" onClick={Pointing.goToEnd}>
          ↓ end
        </button>
      )}
    </div>
  )
}
