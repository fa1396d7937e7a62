/** Where rows are, of which only those in sight are mounted: heights that were measured, an estimate for all others. Pure. */

/** The offset of each row, and behind the last one the height of all. */
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

/** The row that a height is in. */
export const indexAt = (offsets: Float64Array, top: number): number => {
  let [low, high] = [0, Math.max(0, offsets.length - 2)]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((offsets[middle] ?? 0) <= top) low = middle
    else high = middle - 1
  }
  return low
}

/** The rows between two heights, and some more on either side: from the first up to, not including, the last. */
export const between = (
  offsets: Float64Array,
  top: number,
  bottom: number,
  more: number
): readonly [first: number, end: number] => {
  const rows = offsets.length - 1
  return [Math.max(0, indexAt(offsets, top) - more), Math.min(rows, indexAt(offsets, bottom) + 1 + more)]
}
