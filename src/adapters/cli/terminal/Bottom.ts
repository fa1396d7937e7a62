/**
 * What is at the bottom of a terminal, below the finished lines, and the rows that it takes there. Pure.
 *
 * From top to bottom: the line that is being written, the question's subject, what is running, what the program waits
 * for, the question's prompt. They take no more columns than the terminal has, and leave one of its rows free. When
 * there is too little room for all, the prompt comes first, then a row of the line and of what is running, then the
 * rest.
 *
 * All texts are harmless already, as `TerminalText` returns them.
 */
import type { Ansi } from "./Ansi.js"
import * as Columns from "./Columns.js"

/** Something that runs. */
export interface Task {
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
}

/** What a question is about. */
export interface Subject {
  readonly title: string
  /** Of any length; what does not fit is left out in the middle. */
  readonly body: string
  /** Says how many characters of a body are left out, and how to see all of it. */
  readonly hint: (leftOut: number) => string
}

export interface QuestionText {
  /** What is asked about. */
  readonly subject: Subject | null
  readonly prompt: string
}

/** @internal */
export interface Question extends QuestionText {
  /** What was typed so far. Null while typing does not count and the prompt is not shown yet. */
  readonly typed: string | null
}

export interface Bottom {
  /** The line that is being written. */
  readonly line: string
  readonly tasks: ReadonlyArray<Task>
  /** What the program waits for. */
  readonly status: Task | null
  readonly question: Question | null
}

export const empty: Bottom = { line: "", tasks: [], status: null, question: null }

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface Row {
  readonly text: string
  readonly style: keyof Ansi | null
  /** Whether the next typed character appears at the row's end. */
  readonly hasCursor?: boolean
}

export interface Layout {
  /** Rows of the line that is being written for which there is no room. */
  readonly above: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Row>
}

const indent = "  "

const frames = Array.from("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

/** How long each frame of the spinner is shown. */
const frameMillis = 100

const seconds = (millis: number): string => {
  const whole = Math.floor(millis / 1000)
  if (whole < 1) return ""
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

const fit = (text: string, columns: number): string =>
  Columns.width(text) <= columns ? text : `${Columns.take(text, columns - 1)}…`

const taskRow = ({ startedAt, text }: Task, columns: number, now: number): Row => {
  const spinner = frames[Math.floor(now / frameMillis) % frames.length] ?? ""
  const took = seconds(Math.max(0, now - startedAt))
  const room = columns - indent.length - 2 - (took === "" ? 0 : took.length + 2)
  return { text: fit(`${indent}${spinner} ${fit(text, room)}${took === "" ? "" : `  ${took}`}`, columns), style: "dim" }
}

/** The first tasks, and how many more there are. */
const taskRows = (tasks: ReadonlyArray<Task>, { columns, rows }: Size, now: number): ReadonlyArray<Row> => {
  const isAll = tasks.length <= rows
  const shown = tasks.slice(0, isAll ? rows : Math.max(0, rows - 1)).map((task) => taskRow(task, columns, now))
  const more = `${indent}… ${tasks.length - shown.length}${shown.length === 0 ? "" : " more"} running`
  return isAll || rows < 1 ? shown : [...shown, { text: fit(more, columns), style: "dim" }]
}

/** The text's end, without half a surrogate pair and without marks that belong to what is left out. */
const tail = (text: string, units: number): string => text.slice(-units).replace(/^[\udc00-\udfff]?\p{M}*/u, "")

/** The subject's rows without an indent, what does not fit left out in the middle of the body. */
const excerpt = ({ body, hint, title }: Subject, { columns, rows }: Size): ReadonlyArray<string> => {
  const heads = Columns.wrapWords(title, columns).slice(0, Math.ceil(rows / 2))
  const room = rows - heads.length
  // Most UTF-16 units take a column, so this much nearly always fills the room.
  const units = columns * Math.max(room, 0) * 2
  if (body.length <= units) {
    const whole = Columns.wrap(body, columns)
    if (whole.length <= room) return [...heads, ...whole]
  }
  const notes = (leftOut: number) => Columns.wrapWords(`[… ${hint(leftOut)} …]`, columns)
  const all = notes(body.length)
  const parts = room - all.length
  if (parts < 2) return [...heads, ...all.slice(0, Math.max(0, room))].slice(0, rows)
  const last = Math.floor(parts / 3)
  const begin = Columns.wrap(body.slice(0, units), columns).slice(0, parts - last)
  const end = last === 0 ? [] : Columns.wrap(tail(body, columns * last), columns).slice(-last)
  const shown = [...begin, ...end].reduce((sum, row) => sum + row.length, 0)
  return [...heads, ...begin, ...notes(body.length - shown), ...end]
}

/** Indented where there is room for it. */
const indented = (columns: number, rows: (columns: number) => ReadonlyArray<string>): ReadonlyArray<string> => {
  const before = columns < 4 * indent.length ? "" : indent
  return rows(columns - before.length).map((row) => before + row)
}

/** The rows of what is asked about, as many as fit. */
export const subjectRows = (subject: Subject, { columns, rows }: Size): ReadonlyArray<string> =>
  indented(columns, (room) => excerpt(subject, { columns: room, rows }))

const promptRows = ({ prompt, typed }: Question, columns: number): ReadonlyArray<Row> => {
  const rows = indented(columns - 1, (room) => Columns.wrapWords(`${prompt}${typed ?? ""}`, room))
  if (typed === null) return rows.map(() => ({ text: "", style: null }))
  return rows.map((text, at) => ({ text, style: "bold", hasCursor: at === rows.length - 1 }))
}

/** The last rows of the line that is being written, and what of it has no room. Without any room all of it waits. */
const lineRows = (line: string, { columns, rows }: Size): Layout => {
  if (line === "" || rows < 1) return { above: [], rows: [] }
  const all = Columns.wrap(line, columns)
  return { above: all.slice(0, -rows), rows: all.slice(-rows).map(plainRow) }
}

const plainRow = (text: string): Row => ({ text, style: null })

/** The rows at the bottom of a terminal of this size, at this time in milliseconds since the epoch. */
export const layout = ({ line, question, status, tasks }: Bottom, size: Size, now: number): Layout => {
  const columns = Math.max(2, size.columns)
  const most = Math.max(1, size.rows - 1)
  const prompt = question === null ? [] : promptRows(question, columns).slice(-most)
  const forLine = line === "" ? 0 : 1
  const withoutPrompt = Math.max(0, most - prompt.length - forLine)
  const running = taskRows(tasks, { columns, rows: Math.ceil(withoutPrompt / 2) }, now)
  const waiting = status === null || running.length === withoutPrompt ? [] : [taskRow(status, columns, now)]
  const withoutTasks = withoutPrompt - running.length - waiting.length
  const subject =
    question === null || question.subject === null ? [] : subjectRows(question.subject, { columns, rows: withoutTasks })
  const { above, rows } = lineRows(line, {
    columns,
    rows: Math.min(forLine, most - prompt.length) + withoutTasks - subject.length
  })
  return { above, rows: [...rows, ...subject.map(plainRow), ...running, ...waiting, ...prompt] }
}

/** The rows of what is asked and answered, as they stay among the finished lines. */
export const answered = ({ prompt, subject }: QuestionText, answer: string, size: Size): ReadonlyArray<string> => {
  const columns = Math.max(2, size.columns)
  const rows = subject === null ? [] : subjectRows(subject, { columns, rows: Math.max(1, size.rows - 1) })
  return [...rows, ...indented(columns, (room) => Columns.wrapWords(prompt + answer, room))]
}
