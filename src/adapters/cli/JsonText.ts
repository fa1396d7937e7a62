/** Places in a JSON text: of the first syntax error, and of each value by its path. Pure. */

export interface Place {
  /** From 1. */
  readonly line: number
  /** From 1, in characters. */
  readonly column: number
}

export type Path = ReadonlyArray<PropertyKey>

/** The place of an offset in UTF-16 units, as people count. */
const placeAt = (text: string, offset: number): Place => {
  const before = text.slice(0, offset).split(/\r\n|\n|\r/)
  return { line: before.length, column: Array.from(before.at(-1) ?? "").length + 1 }
}

interface Scan {
  /** Offset of the first syntax error; null without one. */
  readonly error: number | null
  /** Offset of a member's name, or of an item, by its path. */
  readonly offsets: ReadonlyMap<string, number>
}

const keyOf = (path: Path): string => JSON.stringify(path.map(String))

const space = /[ \t\n\r]*/y
const literal = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const string = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*"/y
/** The valid beginning of a string. */
const stringStart = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4}))*/y

class SyntaxFault extends Error {
  constructor(readonly offset: number) {
    super("invalid JSON")
  }
}

/** Scans the whole text. The last of several members with one name counts, as for `JSON.parse`. @internal */
export const scan = (text: string): Scan => {
  const offsets = new Map<string, number>()
  let at = 0
  const take = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)?.[0] ?? null
    if (found !== null) at += found.length
    return found
  }
  const skip = () => void take(space)
  const expect = (sign: string) => {
    skip()
    if (text[at] !== sign) throw new SyntaxFault(at)
    at++
  }
  const name = (): string => {
    const found = take(string)
    if (found !== null) return found
    take(stringStart)
    throw new SyntaxFault(at)
  }
  const list = (end: string, item: (index: number) => void) => {
    at++
    skip()
    if (text[at] === end) return void at++
    for (let index = 0; ; index++) {
      skip()
      item(index)
      skip()
      if (text[at] === end) return void at++
      expect(",")
    }
  }
  const value = (path: Path): void => {
    skip()
    if (text[at] === "{") {
      return list("}", () => {
        const start = at
        const key: unknown = JSON.parse(name())
        const inner = [...path, String(key)]
        offsets.set(keyOf(inner), start)
        expect(":")
        value(inner)
      })
    }
    if (text[at] === "[") {
      return list("]", (index) => {
        const inner = [...path, index]
        offsets.set(keyOf(inner), at)
        value(inner)
      })
    }
    if (text[at] === '"') return void name()
    if (!take(literal)) throw new SyntaxFault(at)
  }
  try {
    skip()
    offsets.set(keyOf([]), at)
    value([])
    skip()
    return { error: at === text.length ? null : at, offsets }
  } catch (thrown) {
    return { error: thrown instanceof SyntaxFault ? thrown.offset : null, offsets }
  }
}

/** Where the text is not valid JSON; null when that is unknown. */
export const placeOfError = (text: string): Place | null => {
  const { error } = scan(text)
  return error === null ? null : placeAt(text, error)
}

/** Where a value is, or the innermost value around it that exists. */
export const placeOf = (text: string, path: Path): Place | null => {
  const { offsets } = scan(text)
  for (let length = path.length; length >= 0; length--) {
    const offset = offsets.get(keyOf(path.slice(0, length)))
    if (offset !== undefined) return placeAt(text, offset)
  }
  return null
}
