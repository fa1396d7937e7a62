/**
 * Lines at the end of a file, each written before the call returns. Writing never throws: a line that does not fit is
 * dropped, and `tell` hears of the first one, and how many there were when lines can be written again.
 *
 * A file that was moved away or removed is made anew, so a log can be rotated while it is written. Where that is not
 * possible, lines go on in the file that was moved away.
 */
import { closeSync, fstatSync, openSync, statSync, writeSync } from "node:fs"
import { resolve } from "node:path"
import { codeOf } from "../ErrorCode.js"

export interface Tell {
  readonly failed: (code: string) => void
  readonly works: (dropped: number) => void
}

export interface LogFile {
  /** Drops the line, and tells nobody, once the file is closed: its descriptor may be another file's by then. */
  readonly write: (line: string) => void
  readonly close: () => void
}

/** Readable by its owner only. Throws if it cannot be opened. */
export const open = (file: string, tell: Tell): LogFile => {
  const path = resolve(file)
  const opened = () => openSync(path, "a", 0o600)
  let descriptor = opened()
  let isClosed = false
  let dropped = 0
  /** Whether the last line was written in part, so that the next one must not continue it. */
  let isCut = false

  const isInPlace = (): boolean => {
    const there = statSync(path, { bigint: true, throwIfNoEntry: false })
    const ours = fstatSync(descriptor, { bigint: true })
    return there !== undefined && there.ino === ours.ino && there.dev === ours.dev
  }

  const reopen = () => {
    try {
      if (isInPlace()) return
      const next = opened()
      closeSync(descriptor)
      descriptor = next
      isCut = false
    } catch {
      // The file that was moved away is still open.
    }
  }

  const append = (text: string) => {
    const bytes = Buffer.from(text)
    let at = 0
    try {
      while (at < bytes.length) at += writeSync(descriptor, bytes, at)
      isCut = false
    } catch (error) {
      isCut ||= at > 0
      throw error
    }
  }

  const write = (line: string) => {
    if (isClosed) return
    reopen()
    try {
      append(`${isCut ? "\n" : ""}${line}\n`)
    } catch (error) {
      if (dropped === 0) tell.failed(codeOf(error))
      dropped++
      return
    }
    if (dropped > 0) tell.works(dropped)
    dropped = 0
  }

  const close = () => {
    isClosed = true
    closeSync(descriptor)
  }

  return { write, close }
}
