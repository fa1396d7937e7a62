/** One run, from its first event to its end, as a stream in a front end's protocol. */
import { Chunk, Effect, Stream } from "effect"
import type { Ref } from "../../../domain/Run.js"
import type { SessionEvent } from "../../../domain/SessionEvent.js"
import type * as SkeinError from "../../../domain/SkeinError.js"
import { call } from "../Handlers.js"
import { OpenStreams } from "../OpenStreams.js"
import { pullBytes } from "../PullBytes.js"
import * as RunTelling from "./RunTelling.js"

/** How a protocol writes what is told about a run. */
export interface Form {
  readonly headers: Readonly<Record<string, string>>
  /** Written before anything about the run. */
  readonly beginning: string
  readonly say: (told: RunTelling.Told) => string
  /** Written when a stream cannot continue. */
  readonly explain: (error: SkeinError.Events) => string
  /** Written after the run's end. */
  readonly end: string
}

/** One server-sent event that has data and nothing else. */
export const data = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`

const encoder = new TextEncoder()

const open = ({ cursor, runId, sessionId }: Ref, form: Form) =>
  Effect.gen(function* () {
    const events = yield* call((gateway) => gateway.subscribe({ sessionId, after: cursor, entries: true }))
    const tell = RunTelling.make(runId)
    const isEnd = (event: SessionEvent) =>
      event.type === "session.deleted" || (event.type === "run.ended" && event.runId === runId)
    const said = events.pipe(
      Stream.takeUntil(isEnd),
      Stream.map((event) => tell(event).map(form.say).join("")),
      Stream.concat(Stream.make(form.end))
    )
    const bytes = (texts: Chunk.Chunk<string>) => encoder.encode(Chunk.join(texts, ""))
    return { beginning: form.beginning, pull: yield* pullBytes(said, bytes, form.explain) }
  })

/** Answers with a run. A client that goes away stops nothing. */
export const respond = (ref: Ref, form: Form) =>
  Effect.flatMap(OpenStreams, ({ respond }) => respond(open(ref, form), { headers: form.headers, knowsClosing: false }))
