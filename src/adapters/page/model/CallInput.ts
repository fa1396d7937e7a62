/** A call's input as a person reads it: a command, a change of a file, or its fields. Pure; nothing is left out. */

export type Field =
  | { readonly kind: "text"; readonly name: string; readonly text: string }
  | { readonly kind: "code"; readonly name: string; readonly text: string }
  | { readonly kind: "diff"; readonly before: string | null; readonly after: string }

const parsed = (input: string): Readonly<Record<string, unknown>> | null => {
  try {
    const value: unknown = JSON.parse(input)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, null, 2))

const fieldOf = ([name, value]: readonly [string, unknown]): Field => {
  const text = textOf(value)
  return { kind: text.includes("\n") || text.length > 80 || name === "command" ? "code" : "text", name, text }
}

const pairs = [
  ["oldText", "newText"],
  ["old_string", "new_string"],
  ["old_str", "new_str"]
] as const

/** The fields of an input in order, a change last. An input that is not a JSON object is shown as it is. */
export const fields = (input: string): ReadonlyArray<Field> => {
  const object = parsed(input)
  if (object === null) return [{ kind: "code", name: "input", text: input }]
  for (const [old, now] of pairs) {
    const [before, after] = [object[old], object[now]]
    if (typeof before !== "string" || typeof after !== "string") continue
    const rest = Object.entries(object).filter(([name]) => name !== old && name !== now)
    return [...rest.map(fieldOf), { kind: "diff", before, after }]
  }
  const { content, path } = object
  if (typeof path === "string" && typeof content === "string") {
    const rest = Object.entries(object).filter(([name]) => name !== "content")
    return [...rest.map(fieldOf), { kind: "diff", before: null, after: content }]
  }
  return Object.entries(object).map(fieldOf)
}

/** An input on one line. */
export const summary = (input: string): string => {
  const object = parsed(input)
  return object === null
    ? input
    : Object.values(object)
        .map((value) => (typeof value === "string" ? value : JSON.stringify(value)))
        .join("  ")
}
