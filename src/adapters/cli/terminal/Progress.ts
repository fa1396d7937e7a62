/**
 * Long work that a person waits for: how far it is, and how long it will still take. On a terminal this is at the
 * bottom while the work lasts; elsewhere it is a line on stderr every few seconds, and work that is done sooner has
 * none.
 *
 * The time left is what the rest takes at the speed so far. It is not shown in the first second.
 */
import { Clock, Effect, Ref } from "effect"
import { Screen } from "./Screen.js"

export interface Subject {
  /** What is done, such as "Backing up". */
  readonly label: string
  /** What is counted: bytes, or the plural of anything else. */
  readonly unit: string
  /** Whether the work may have nothing to report: then nothing is shown before it does. */
  readonly mayBeNothing?: boolean
}

/** Tells how much is done, in units, and how much there is; null while that is unknown. */
export type Report = (done: number, total: number | null) => Effect.Effect<void>

/** Bytes for people. */
export const size = (bytes: number): string => {
  const units = ["B", "KB", "MB", "GB", "TB"]
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1)
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ""}`
}

const grouped = (count: number): string => String(Math.round(count)).replace(/(?<=\d)(?=(?:\d{3})+$)/g, ",")

const time = (millis: number): string => {
  const seconds = Math.ceil(millis / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const firstMillis = 1_000

const amount = (unit: string, done: number, total: number | null): string => {
  if (unit === "bytes") return total === null ? size(done) : `${size(done)} of ${size(total)}`
  return total === null ? `${grouped(done)} ${unit}` : `${grouped(done)} of ${grouped(total)} ${unit}`
}

interface Amount {
  readonly done: number
  readonly total: number | null
}

/**
 * What is shown after `millis` milliseconds: the amounts if there is room for them, otherwise the percentage.
 *
 * @internal
 */
export const text = (
  { label, unit }: Subject,
  { columns, done, millis, total }: Amount & { readonly millis: number; readonly columns: number }
): string => {
  const all = total === null ? null : Math.max(done, total)
  const isKnown = all !== null && done > 0 && done < all && millis >= firstMillis
  const left = isKnown ? `, about ${time((millis / done) * (all - done))} left` : ""
  const whole = `${label}: ${amount(unit, done, all)}${left}`
  return whole.length <= columns || all === null || all === 0
    ? whole
    : `${label}: ${Math.floor((done / all) * 100)} %${left}`
}

/** How often the bottom changes. */
const shownMillis = 100

/** What the bottom adds to the text: the indent, the spinner, the seconds. */
const spinnerColumns = 12

/** How often a line is written. */
const lineMillis = 3_000

/** Does the work, and shows what it reports. */
export const during = <A, E, R>(subject: Subject, work: (report: Report) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const opened = yield* Clock.currentTimeMillis
    const begun = yield* Ref.make(subject.mayBeNothing === true ? null : opened)
    const last = yield* Ref.make(screen.hasBottom ? opened - shownMillis : opened)
    const report: Report = (done, total) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        if (now - (yield* Ref.get(last)) < (screen.hasBottom ? shownMillis : lineMillis)) return
        yield* Ref.set(last, now)
        const from = yield* Ref.updateAndGet(begun, (begun) => begun ?? now)
        const columns = (yield* screen.columns) - spinnerColumns
        const shown = text(subject, { done, total, millis: now - (from ?? now), columns })
        yield* screen.hasBottom ? screen.show({ tasks: [], status: shown }) : screen.writeError(`${shown}\n`)
      })
    const status = subject.mayBeNothing === true ? "" : subject.label
    return yield* screen.live(Effect.zipRight(screen.show({ tasks: [], status }), work(report)), "left")
  })
