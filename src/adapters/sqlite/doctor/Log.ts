/** The log beside a database: which pages it has that were committed, and where. The bytes of a file, for that. */
import { closeSync, openSync, readSync, statSync } from "node:fs"

const log = { headerSize: 32, frameSize: 24, magic: 0x377f0682 }

export interface Bytes {
  readonly size: number
  /** What is beyond the end reads as zeros. */
  readonly read: (at: number, length: number) => Buffer
  readonly close: () => void
}

/** Opens a file for reading. One that is missing is empty. */
export const open = (path: string): Bytes => {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const file = size === 0 ? null : openSync(path, "r")
  return {
    size,
    read: (at: number, length: number): Buffer => {
      const bytes = Buffer.alloc(length)
      if (file !== null) readSync(file, bytes, 0, length, at)
      return bytes
    },
    close: () => void (file !== null && closeSync(file))
  }
}

/** Adds bytes to the log's running checksum. */
const checksum = (
  bytes: Buffer,
  isBig: boolean,
  [first, second]: readonly [number, number]
): readonly [number, number] => {
  let [a, b] = [first, second]
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    a = (a + (isBig ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + b) >>> 0
    b = (b + (isBig ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + a) >>> 0
  }
  return [a, b]
}

/** Where the log has the committed pages, and how many pages the database has with them. */
export const committed = (file: Bytes, pageSize: number) => {
  const places = new Map<number, number>()
  let count = 0
  const header = file.read(0, log.headerSize)
  const mark = header.readUInt32BE(0)
  const isBig = (mark & 1) === 1
  if ((mark & ~1) >>> 0 !== log.magic || header.readUInt32BE(8) !== pageSize) return { places, count }
  let sum = checksum(header.subarray(0, 24), isBig, [0, 0])
  if (sum[0] !== header.readUInt32BE(24) || sum[1] !== header.readUInt32BE(28)) return { places, count }
  const pending = new Map<number, number>()
  const step = log.frameSize + pageSize
  for (let at = log.headerSize; at + step <= file.size; at += step) {
    const frame = file.read(at, step)
    sum = checksum(frame.subarray(log.frameSize), isBig, checksum(frame.subarray(0, 8), isBig, sum))
    const isValid =
      frame.subarray(8, 16).equals(header.subarray(16, 24)) &&
      sum[0] === frame.readUInt32BE(16) &&
      sum[1] === frame.readUInt32BE(20)
    if (!isValid) break
    pending.set(frame.readUInt32BE(0), at + log.frameSize)
    const committed = frame.readUInt32BE(4)
    if (committed === 0) continue
    count = committed
    for (const [page, place] of pending) places.set(page, place)
    pending.clear()
  }
  return { places, count }
}
