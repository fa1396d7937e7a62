/** Why a file is not attached, as people read it. Pure. */
import * as Visible from "./Visible.js"
import * as Words from "./Words.js"

/** A failed upload. */
interface Why {
  readonly tag: string
  readonly message: string
  readonly about: { readonly field?: unknown; readonly limit?: unknown; readonly actual?: unknown }
}

const nameOf = (name: string): string => Visible.line(name) || "The file"

/** `most` is how many bytes a file may have, if that is known. */
export const tooLarge = (name: string, most: number | null): string =>
  most === null
    ? `${nameOf(name)} is too large.`
    : `${nameOf(name)} is larger than ${Words.bytes(most)}, the most that a file may have.`

export const folder = (name: string): string => `${nameOf(name)} is a folder. Only files can be attached.`

export const failed = (name: string, { about, message, tag }: Why, most: number | null): string => {
  if (tag === "BodyTooLarge") return tooLarge(name, most)
  if (tag === "Unreadable")
    return `${nameOf(name)} cannot be read. It may be a folder, or have been changed or removed.`
  if (tag === "InvalidInput" && about.field === "content")
    return `${nameOf(name)} cannot be attached: expected ${String(about.limit)}, got ${String(about.actual)}.`
  if (tag === "UnsupportedContent")
    return `${nameOf(name)} cannot be attached: its type must be ${String(about.limit)}.`
  return `${nameOf(name)}: ${message}`
}
