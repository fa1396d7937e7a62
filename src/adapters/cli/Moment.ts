/** A moment as an option states it: a time from now, such as 12h or 30d, or a date, in UTC unless it says otherwise. */
import { Clock, DateTime, Duration, Effect, Option } from "effect"
import { InvalidInput } from "../../domain/SkeinError.js"
import * as TerminalText from "./terminal/TerminalText.js"
import * as Texts from "./texts/Tokens.js"

const units = { m: Duration.minutes, h: Duration.hours, d: Duration.days }

const isUnit = (text: string): text is keyof typeof units => text in units

/** Milliseconds since the epoch; null for a text that is neither. Times count from now on (1) or back from now (-1). */
const read = (text: string, now: number, from: 1 | -1): number | null => {
  const [, count = "", unit = ""] = /^([1-9]\d{0,4})([a-z])$/.exec(text) ?? []
  if (isUnit(unit)) return now + from * Duration.toMillis(units[unit](Number(count)))
  if (!/^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2})?)?$/.test(text)) return null
  return Option.getOrNull(Option.map(DateTime.make(text), DateTime.toEpochMillis))
}

const refused = (field: string, limit: string, text: string) =>
  new InvalidInput({ field, limit, actual: TerminalText.short(text, 40) })

/** Until when; null without an end. A moment in the past is refused. */
export const until = (field: string, text: string | null): Effect.Effect<number | null, InvalidInput> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    if (text === null) return Effect.succeed(null)
    const at = read(text, now, 1)
    return at !== null && at > now ? Effect.succeed(at) : refused(field, Texts.expiryForm, text)
  })

/** Since when; null without a start. */
export const since = (field: string, text: string | null): Effect.Effect<number | null, InvalidInput> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    if (text === null) return Effect.succeed(null)
    const at = read(text, now, -1)
    return at === null ? refused(field, Texts.sinceForm, text) : Effect.succeed(at)
  })
