/** A terminal, as far as Skein uses one: what it shows after the texts that it was sent. Dies on any other sequence. */
import * as Columns from "../../../../../src/adapters/cli/terminal/Columns.js"

export interface FakeTerminal {
  readonly send: (text: string) => void
  /** All rows from the first to the last that is not empty, including those that have scrolled away. */
  readonly rows: () => ReadonlyArray<string>
  /** The cursor's row, counted as in `rows`, and whether it is in the first column. */
  readonly cursor: () => { readonly row: number; readonly isAtStart: boolean; readonly isShown: boolean }
}

const segments = new Intl.Segmenter()

const sequence = /^\x1b\[(\??)([0-9]*)([a-zA-Z])/

export const make = (columns: number, height: number): FakeTerminal => {
  const rows: Array<string> = [""]
  let row = 0
  let column = 0
  let isShown = true

  const goDown = () => {
    row += 1
    if (row === rows.length) rows.push("")
  }

  const put = (cluster: string) => {
    const width =
      cluster === "\t" ? Math.max(0, Math.min(8 - (column % 8), columns - 1 - column)) : Columns.width(cluster)
    if (column + width > columns) {
      goDown()
      column = 0
    }
    if (column !== Columns.width(rows[row] ?? "") && !(rows[row] ?? "").includes("\t")) {
      throw new Error(`text over text in ${JSON.stringify(rows[row])}`)
    }
    rows[row] = (rows[row] ?? "") + cluster
    column += width
  }

  const control = (isPrivate: boolean, parameter: string, final: string) => {
    if (final === "m" || (isPrivate && parameter === "2026")) return
    if (isPrivate && parameter === "25") return void (isShown = final === "h")
    if (final === "J" && parameter === "0" && column === 0) {
      rows.length = row
      return void rows.push("")
    }
    if (final !== "A" || column !== 0) throw new Error(`unexpected sequence ${parameter}${final}`)
    row -= Number(parameter)
    if (row < Math.max(0, rows.length - height)) throw new Error("the cursor left the screen")
  }

  const send = (text: string) => {
    let rest = text
    while (rest !== "") {
      const [whole, question, parameter = "", final = ""] = sequence.exec(rest) ?? []
      if (whole !== undefined) {
        if (final === "A") column = 0
        control(question === "?", parameter, final)
        rest = rest.slice(whole.length)
        continue
      }
      const end = rest.indexOf("\x1b", 1)
      const plain = end === -1 ? rest : rest.slice(0, end)
      rest = rest.slice(plain.length)
      for (const { segment } of segments.segment(plain)) {
        if (segment === "\r") column = 0
        else if (segment === "\n" || segment === "\r\n") {
          goDown()
          column = 0
        } else put(segment)
      }
    }
  }

  return {
    send,
    rows: () => rows.slice(0, rows.findLastIndex((text) => text !== "") + 1),
    cursor: () => ({ row, isAtStart: column === 0, isShown })
  }
}
