/**
 * Checks whether lines are an export: each line is where it may be, and each number and id agrees with the lines before
 * it. It reads one line after the other, and keeps only what later lines refer to: ids and counts, no texts.
 *
 * Not checked here: sizes, content and its hash, the hash over all lines.
 */
import { Chunk, Either } from "effect"
import type * as Export from "./Export.js"
import type { SessionId } from "./Session.js"
import * as Timestamp from "./Timestamp.js"
import * as Transcript from "./Transcript.js"

/** What is wrong with a line: where in it, and what. */
interface Flaw {
  readonly field: string
  readonly detail: string
}

const flaw = (field: string, detail: string): Flaw => ({ field, detail })

/** The order of the kinds of lines in a session. */
const ranks = { run: 1, message: 2, question: 3, grant: 4, "append-key": 5, asset: 6, content: 6 } as const

interface OpenSession {
  readonly session: Export.Session
  rank: number
  transcript: Transcript.State
  /** Steps in the transcript, and whether it has messages of which this version cannot tell whether they are steps. */
  steps: number
  hasOther: boolean
  readonly runs: Map<string, { isResumed: boolean }>
  readonly names: Set<string>
  /** Bytes of the newest asset that are still to come. */
  missing: number
  readonly counts: { runs: number; messages: number; questions: number; grants: number; keys: number; assets: number }
}

const opened = (session: Export.Session): OpenSession => ({
  session,
  rank: 0,
  transcript: Transcript.empty(session.id),
  steps: 0,
  hasOther: false,
  runs: new Map(),
  names: new Set(),
  missing: 0,
  counts: { runs: 0, messages: 0, questions: 0, grants: 0, keys: 0, assets: 0 }
})

/** Notes a name that only one line of its kind may have. Returns whether it is new. */
const isNew = ({ names }: OpenSession, kind: string, name: string): boolean => {
  const known = names.size
  names.add(`${kind} ${name}`)
  return names.size > known
}

/** The times in a line. */
const timesOf = (line: Export.Line): Readonly<Record<string, Timestamp.Timestamp | null>> => {
  switch (line.type) {
    case "skein.export":
      return { madeAt: line.madeAt }
    case "session":
      return { createdAt: line.createdAt, updatedAt: line.updatedAt }
    case "run":
      return { createdAt: line.createdAt, startedAt: line.startedAt, endedAt: line.endedAt }
    case "message":
      return { at: line.at, startedAt: line.startedAt }
    case "question":
      return { askedAt: line.askedAt }
    case "asset":
      return { createdAt: line.createdAt }
    default:
      return {}
  }
}

const ofTimes = (line: Export.Line): Flaw | null => {
  const wrong = Object.entries(timesOf(line)).find(([, time]) => time !== null && !Timestamp.isDatable(time))
  return wrong === undefined ? null : flaw(wrong[0], "not a time in the years 0 to 9999")
}

const ofRun = (open: OpenSession, { cursor, id, idempotencyKey, resumes }: Export.Run): Flaw | null => {
  const earlier = resumes === null ? null : open.runs.get(resumes)
  if (open.runs.has(id)) return flaw("id", `the session has a run ${id} already`)
  if (cursor > open.session.cursor) return flaw("cursor", "later than the session's")
  if (idempotencyKey !== null && !isNew(open, "run", idempotencyKey)) return flaw("idempotencyKey", "used before")
  if (earlier === undefined || earlier?.isResumed === true)
    return flaw("resumes", "not an earlier run, or resumed before")
  if (earlier !== null) earlier.isResumed = true
  open.runs.set(id, { isResumed: false })
  open.counts.runs++
  return null
}

const ofMessage = (open: OpenSession, { finished, message, runId, seq }: Export.Message): Flaw | null => {
  const { value } = message
  const { head } = open.transcript
  if (seq !== head + 1) return flaw("seq", `${head + 1} comes next, not ${seq}`)
  if (seq > open.session.head) return flaw("seq", `the session has ${open.session.head} messages`)
  if (runId !== null && !open.runs.has(runId)) return flaw("runId", `the session has no run ${runId}`)
  if (finished !== null && (value.role !== "tool" || finished > open.session.cursor)) {
    return flaw("finished", "no event of this message")
  }
  const next = Transcript.append(open.transcript, value)
  if (Either.isLeft(next)) return flaw("message", `out of place: ${next.left.reason}`)
  open.transcript = next.right
  if (value.role === "assistant") open.steps++
  if (value.role === "other") open.hasOther = true
  open.counts.messages++
  return null
}

const ofQuestion = (open: OpenSession, { id, runId, seq }: Export.Question): Flaw | null => {
  if (!open.runs.has(runId)) return flaw("runId", `the session has no run ${runId}`)
  if (seq > open.session.head) return flaw("seq", `the session has ${open.session.head} messages`)
  if (!isNew(open, "question", id)) return flaw("id", `the session has a question ${id} already`)
  open.counts.questions++
  return null
}

const ofGrant = (open: OpenSession, { tool }: Export.Grant): Flaw | null => {
  if (!isNew(open, "grant", tool)) return flaw("tool", "granted before")
  open.counts.grants++
  return null
}

const ofKey = (open: OpenSession, { first, key, last }: Export.AppendKey): Flaw | null => {
  if (first > last || last > open.session.head) return flaw("last", "not a range of places in the transcript")
  if (!isNew(open, "append-key", key)) return flaw("key", "used before")
  open.counts.keys++
  return null
}

const ofAsset = (open: OpenSession, { id, size }: Export.Asset): Flaw | null => {
  if (!isNew(open, "asset", id)) return flaw("id", `the session has an asset ${id} already`)
  open.missing = size
  open.counts.assets++
  return null
}

const ofContent = (open: OpenSession, { base64 }: Export.Content): Flaw | null => {
  if (base64.length === 0 || base64.length > open.missing) return flaw("base64", "more or less than the asset has")
  open.missing -= base64.length
  return null
}

const ofRow = (open: OpenSession, line: Export.Row | Export.Content): Flaw | null => {
  const rank = ranks[line.type]
  if (line.type !== "content" && open.missing > 0) return flaw("type", "an asset's content must continue here")
  if (rank < open.rank) return flaw("type", `${line.type} is not allowed here`)
  open.rank = rank
  switch (line.type) {
    case "run":
      return ofRun(open, line)
    case "message":
      return ofMessage(open, line)
    case "question":
      return ofQuestion(open, line)
    case "grant":
      return ofGrant(open, line)
    case "append-key":
      return ofKey(open, line)
    case "asset":
      return ofAsset(open, line)
    case "content":
      return ofContent(open, line)
  }
}

const names = ["runs", "messages", "questions", "grants", "keys", "assets"] as const

const ofSessionEnd = (open: OpenSession, end: Export.SessionEnd): Flaw | null => {
  const { counts, hasOther, session, steps, transcript } = open
  if (open.missing > 0) return flaw("type", "an asset's content must continue here")
  if (end.id !== session.id) return flaw("id", `not that of the session, ${session.id}`)
  const wrong = names.find((name) => end[name] !== counts[name])
  if (wrong !== undefined) return flaw(wrong, `${counts[wrong]} came, not ${end[wrong]}`)
  if (transcript.head !== session.head) {
    return flaw("messages", `the session has ${session.head}, and ${transcript.head} came`)
  }
  if (Chunk.isNonEmpty(transcript.open)) return flaw("messages", "the last calls have no results")
  // If the session counts more steps than came, messages were lost.
  return session.usage.steps > steps && !hasOther ? flaw("messages", "fewer steps than the session counts") : null
}

export interface ExportCheck {
  /** Takes the next line. Returns what is wrong with it; null when nothing is. */
  readonly take: (line: Export.Line) => Flaw | null
  /** Whether the last line has come. */
  readonly isDone: () => boolean
}

/** Starts the check of one export, before its first line. `newest` is the only format that can be read. */
export const make = (newest: number): ExportCheck => {
  const sessions = new Set<SessionId>()
  let lines = 0
  let open: OpenSession | null = null
  let isDone = false

  const takeNext = (line: Export.Line): Flaw | null => {
    if (isDone) return flaw("type", "the export has ended before")
    if (lines === 0) {
      if (line.type !== "skein.export") return flaw("type", "not an export of Skein")
      return line.version === newest ? null : flaw("version", `written by another version of Skein (${line.version})`)
    }
    switch (line.type) {
      case "skein.export":
        return flaw("type", "the export has begun before")
      case "session":
        if (open !== null) return flaw("type", "the session before it has not ended")
        if (sessions.has(line.id)) return flaw("id", `session ${line.id} came before`)
        if (line.cursor < line.head) return flaw("cursor", "fewer events than messages")
        sessions.add(line.id)
        open = opened(line)
        return null
      case "session.end": {
        const wrong = open === null ? flaw("type", "no session has begun") : ofSessionEnd(open, line)
        open = null
        return wrong
      }
      case "skein.export.end":
        if (open !== null) return flaw("type", "the session before it has not ended")
        if (line.sessions !== sessions.size) return flaw("sessions", `${sessions.size} came, not ${line.sessions}`)
        if (line.lines !== lines) return flaw("lines", `${lines} came, not ${line.lines}`)
        isDone = true
        return null
      default:
        return open === null ? flaw("type", "no session has begun") : ofRow(open, line)
    }
  }

  return {
    take: (line) => {
      const wrong = ofTimes(line) ?? takeNext(line)
      lines++
      return wrong
    },
    isDone: () => isDone
  }
}
