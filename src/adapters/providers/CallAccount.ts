/**
 * Counts the calls in the frames of chat completions, independently of the SDK that reads them. Pure.
 *
 * Guaranteed to detect three losses that the SDK does not report:
 * - a call without a name;
 * - a call that the SDK did not return;
 * - input text that belongs to no call.
 *
 * Not detected: a call that looks like the continuation of another, with the same id, name and index.
 */
import { Array as Arr, Predicate } from "effect"

/** The calls as the SDK returned them. */
interface CallReport {
  readonly calls: number
  /** Length of all their inputs, in UTF-16 units. */
  readonly characters: number
}

export interface CallAccount {
  readonly see: (frame: unknown) => CallAccount
  /** Describes what the reported calls lack; null if nothing. */
  readonly missing: (reported: CallReport) => string | null
}

interface Sums {
  /** Ids and indexes that had a name. */
  readonly named: ReadonlySet<string>
  /** Ids and indexes that had none. */
  readonly unnamed: ReadonlySet<string>
  readonly indexes: ReadonlySet<number>
  readonly characters: number
}

const nothing: Sums = { named: new Set(), unnamed: new Set(), indexes: new Set(), characters: 0 }

/** No frame has been seen. */
export const start = (): CallAccount => of(nothing)

const of = (sums: Sums): CallAccount => ({
  see: (frame) => of(deltasIn(frame).reduce(add, sums)),
  missing: ({ calls, characters }) => {
    const nameless = [...sums.unnamed].find((key) => !sums.named.has(key))
    if (nameless !== undefined) return `a call has no name (${nameless})`
    if (sums.indexes.size > calls) return `${sums.indexes.size} calls began and only ${calls} can be told apart`
    return sums.characters > characters ? "part of a call's input belongs to no call" : null
  }
})

interface Delta {
  readonly id: string | null
  readonly index: number | null
  readonly name: string | null
  readonly hasBlankName: boolean
  readonly characters: number
}

const property = (value: unknown, key: string): unknown => (Predicate.hasProperty(value, key) ? value[key] : undefined)

const filled = (value: unknown): string | null => (Predicate.isString(value) && value.trim() !== "" ? value : null)

const deltasIn = (frame: unknown): ReadonlyArray<Delta> => {
  const choices = property(frame, "choices")
  const calls = property(property(Arr.isArray(choices) ? choices[0] : undefined, "delta"), "tool_calls")
  return Arr.isArray(calls) ? calls.map(deltaOf) : []
}

const deltaOf = (call: unknown): Delta => {
  const called = property(call, "function")
  const [index, name, input] = [property(call, "index"), property(called, "name"), property(called, "arguments")]
  return {
    id: filled(property(call, "id")),
    index: Predicate.isNumber(index) ? index : null,
    name: filled(name),
    hasBlankName: Predicate.isString(name) && filled(name) === null,
    characters: Predicate.isString(input) ? input.length : 0
  }
}

/** A continuation may have a blank name; its id or index was named before. */
const add = (sums: Sums, delta: Delta): Sums => {
  const id = delta.id === null ? [] : [`id ${delta.id}`]
  const index = delta.index === null ? [] : [`index ${delta.index}`]
  const keys = [...id, ...index]
  const [key = "neither id nor index"] = delta.hasBlankName ? keys : [...index, ...id]
  return {
    named: delta.name === null ? sums.named : new Set([...sums.named, ...keys]),
    unnamed: delta.name === null ? new Set([...sums.unnamed, key]) : sums.unnamed,
    indexes: delta.index === null ? sums.indexes : new Set([...sums.indexes, delta.index]),
    characters: sums.characters + delta.characters
  }
}
