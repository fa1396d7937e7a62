/** JSON texts that are equal when the values are. */
import { Array as Arr, Order, Predicate } from "effect"

const byKey = Order.mapInput(Order.string, ([key]: readonly [key: string, field: unknown]) => key)

const sorted = (_: string, value: unknown): unknown =>
  Predicate.isReadonlyRecord(value) ? Object.fromEntries(Arr.sort(Object.entries(value), byKey)) : value

/** The JSON text of a value, the same for every order in which the fields of its objects come. */
export const stringify = (value: object): string => JSON.stringify(value, sorted)

/** Items in one piece. */
const portion = 100

/** The text of a list, in pieces that make it up together. A piece is made when it is asked for. */
export function* pieces(list: ReadonlyArray<object>): Generator<string, void> {
  for (let from = 0; from < list.length; from += portion) {
    yield (from === 0 ? "[" : ",") + stringify(list.slice(from, from + portion)).slice(1, -1)
  }
  yield list.length === 0 ? "[]" : "]"
}
