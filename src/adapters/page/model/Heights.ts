/**
 * The positions of rows, of which only those in sight are mounted: measured heights, estimates for others. Pure.
 */

/** The offset of each row and, after the last one, the total height. */
export const offsets = (
  keys: ReadonlyArray<string>,
  measured: ReadonlyMap<string, number>,
  estimate: (index: number) => number
): Float64Array => {
  const all = new Float64Array(keys.length + 1)
  let top = 0
  keys.forEach((key, index) => {
    all[index] = top
    top += measured.get(key) ?? estimate(index)
  })
  all[keys.length] = top
  return all
}

/** The row at a height. */
export const indexAt = (offsets: Float64Array, top: number): number => {
  let [low, high] = [0, Math.max(0, offsets.length - 2)]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((offsets[middle] ?? 0) <= top) low = middle
    else high = middle - 1
  }
  return low
}

/** The rows between two heights, and some more on either side: from `first` up to but not including `end`. */
export const between = (
  offsets: Float64Array,
  top: number,
  bottom: number,
  more: number
): readonly [first: number, end: number] => {
  const rows = offsets.length - 1
  return [Math.max(0, indexAt(offsets, top) - more), Math.min(rows, indexAt(offsets, bottom) + 1 + more)]
}
