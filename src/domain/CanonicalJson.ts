/** JSON texts that are equal when the values are. */
import { Array as Arr, Order, Predicate } from "effect"

const byKey = Order.mapInput(Order.string, ([key]: readonly [key: string, field: unknown]) => key)

const sorted = (_: string, value: unknown): unknown =>
  Predicate.isReadonlyRecord(value) ? Object.fromEntries(Arr.sort(Object.entries(value), byKey)) : value

/** Returns the JSON text of a value, which does not depend on the order of its objects' fields. */
export const stringify = (value: object): string => JSON.stringify(value, sorted)

/** Items in one piece. */
const portion = 100

/** Yields the JSON text of a list in pieces. Each piece is made only when it is asked for. */
export function* pieces(list: ReadonlyArray<object>): Generator<string, void> {
  for (let from = 0; from < list.length; from += portion) {
    yield (from === 0 ? "[" : ",") + stringify(list.slice(from, from + portion)).slice(1, -1)
  }
  yield list.length === 0 ? "[]" : "]"
}
