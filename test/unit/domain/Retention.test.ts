import { expect, it } from "@effect/vitest"
import { FastCheck } from "effect"
import * as Retention from "../../../src/domain/Retention.js"

/** The newest event to remove, and the events that were checked. */
const lastOf = (log: Retention.EventLog, keep: number, isYoung: (event: number) => boolean) => {
  let bounds = Retention.bounds(log, keep)
  const looked: Array<number> = []
  for (let event = Retention.first(bounds); event !== null; event = Retention.next(bounds)) {
    looked.push(event)
    bounds = Retention.narrow(bounds, event, isYoung(event))
  }
  return { last: bounds.old, looked }
}

const log = FastCheck.record({
  first: FastCheck.integer({ min: 1, max: 1_000_000 }),
  count: FastCheck.integer({ min: 1, max: 1_000_000 }),
  going: FastCheck.option(FastCheck.integer({ min: 0, max: 2_000_000 })),
  keep: FastCheck.integer({ min: 1, max: 1_000_000 }),
  young: FastCheck.integer({ min: 0, max: 2_000_001 })
})

it.prop("finds the same events to remove as a check of every event would, with few checks", [log], ([given]) => {
  const { count, first, keep, young } = given
  const newest = first + count - 1
  const going = given.going === null ? null : Math.min(newest, Math.max(first - 1, given.going))
  const { last, looked } = lastOf({ first, newest, going }, keep, (event) => event >= young)
  const wanted = Math.min(newest - 1, going ?? newest, Math.max(newest - keep, Math.min(young - 1, newest)))
  expect(last).toBe(Math.max(first - 1, wanted))
  expect(looked.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(count + 1)))
  expect(looked.every((event) => event >= first && event < newest)).toBe(true)
})

it("a session with nothing to remove is checked once, and one with too few events not at all", () => {
  expect(lastOf({ first: 5, newest: 90_000, going: null }, 1_000_000, () => true)).toEqual({ last: 4, looked: [5] })
  expect(lastOf({ first: 5, newest: 5, going: null }, 1, () => false)).toEqual({ last: 4, looked: [] })
  expect(lastOf({ first: 5, newest: 9, going: 4 }, 1, () => false)).toEqual({ last: 4, looked: [] })
})
