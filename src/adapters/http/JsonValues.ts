/** Counts the values of a JSON text that comes in pieces, without parsing it. Pure. */

const quote = 0x22
const backslash = 0x5c
const [comma, bracket, brace] = [0x2c, 0x5b, 0x7b]

/** Takes the next piece, and returns how many values have begun so far: those after a comma, a bracket or a brace. */
export const counter = (): ((piece: Uint8Array) => number) => {
  let values = 0
  let isText = false
  let isEscaped = false
  return (piece) => {
    for (const byte of piece) {
      if (isEscaped) isEscaped = false
      else if (isText) {
        if (byte === backslash) isEscaped = true
        else if (byte === quote) isText = false
      } else if (byte === quote) isText = true
      else if (byte === comma || byte === bracket || byte === brace) values += 1
    }
    return values
  }
}
