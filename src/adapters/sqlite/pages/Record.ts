/**
 * The values of a stored row, as SQLite writes them one after the other. All functions throw when the bytes make no
 * sense.
 */
import type { Parameter } from "../../../services/storage/sql/Database.js"

/** Reads a variable-length integer. Throws beyond the end. */
export const varint = (bytes: Buffer, at: number): readonly [value: bigint, next: number] => {
  let value = 0n
  for (let index = 0; index < 9; index++) {
    const byte = bytes.readUInt8(at + index)
    if (index === 8) return [(value << 8n) | BigInt(byte), at + 9]
    value = (value << 7n) | BigInt(byte & 0x7f)
    if (byte < 0x80) return [value, at + index + 1]
  }
  return [value, at + 9]
}

const integerSizes = [0, 1, 2, 3, 4, 6, 8]
const utf8 = new TextDecoder("utf-8", { fatal: true })

/** Returns one value of a record and its length. Throws when it makes no sense. */
const valueOf = (type: number, bytes: Buffer, at: number): readonly [Parameter, number] => {
  const size = integerSizes[type]
  if (type === 0) return [null, 0]
  if (size === 8) return [bytes.readBigInt64BE(at), 8]
  if (size !== undefined) return [BigInt(bytes.readIntBE(at, size)), size]
  if (type === 7) return [bytes.readDoubleBE(at), 8]
  if (type === 8 || type === 9) return [BigInt(type - 8), 0]
  const length = (type - (type % 2) - 12) / 2
  if (length < 0 || at + length > bytes.length) throw new RangeError("a value is longer than its record")
  const part = bytes.subarray(at, at + length)
  return [type % 2 === 0 ? part : utf8.decode(part), length]
}

export const decode = (bytes: Buffer): ReadonlyArray<Parameter> => {
  const values: Array<Parameter> = []
  const [end, first] = varint(bytes, 0)
  let place = Number(end)
  let at = first
  while (at < end) {
    const [type, next] = varint(bytes, at)
    const [value, length] = valueOf(Number(type), bytes, place)
    values.push(value)
    place += length
    at = next
  }
  if (place !== bytes.length) throw new RangeError("a record is longer than its values")
  return values
}
