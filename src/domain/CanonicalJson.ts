/** JSON texts that are equal when the values are. */
import { Array as Arr, Order, Predicate } from "effect"

const byKey = Order.mapInput(Order.string, ([key]: readonly [key: string, field: unknown]) => key)

const sorted = (_: string, value: unknown): unknown =>
  Predicate.isReadonlyRecord(value) ? Object.fromEntries(Arr.sort(Object.entries(value), byKey)) : value

/** The JSON text of a value, the same for every order in which the fields of its objects come. */
export const stringify = (value: object): string => JSON.stringify(value, sorted)
