/** The reference for a session as an export has it: its settled part, as rows. */
import { Array, Either, HashMap, Option } from "effect"
import * as CallDisplay from "../../../domain/CallDisplay.js"
import * as Export from "../../../domain/Export.js"
import type { Message } from "../../../domain/Message.js"
import type { ModelRef } from "../../../domain/ModelRef.js"
import type { RunId } from "../../../domain/Run.js"
import { Seq, type SessionId } from "../../../domain/Session.js"
import type { SessionNotFound } from "../../../domain/SkeinError.js"
import * as Usage from "../../../domain/Usage.js"
import { noTimes, type RunRecord, type SessionRecord, type State, visible } from "./State.js"

const same = <A>(value: A): Export.Kept<A> => ({ value, stored: value })

const keptMessage = (message: Message): Export.Kept<Message> => ({
  value: message,
  stored: message.role === "other" ? message.stored : message
})

const keptModel = ({ options, ...ref }: ModelRef) => same(options === undefined ? ref : { ...ref, options })

const displayOf = (display: CallDisplay.CallDisplay) => (CallDisplay.isNone(display) ? null : same(display))

/** The last place before the step whose calls are open; the head when no call is open. */
const settledHead = ({ batch, session }: SessionRecord): number => {
  const [first] = batch
  return first === undefined ? session.head : first.call.seq - first.call.index - 2
}

const usageAt = ({ entries }: SessionRecord, place: number): Usage.Usage | null => {
  const message = entries[place - 1]?.message
  return message?.role === "assistant" ? message.usage : null
}

const runsOf = (
  state: State,
  kept: SessionRecord,
  { going, without }: { readonly going: RunId | null; readonly without: (total: Usage.Total) => Usage.Total }
): ReadonlyArray<Export.Run> => {
  const records = Array.fromIterable(HashMap.values(state.runs))
    .filter(({ run }) => run.sessionId === kept.session.id && run.state !== "queued")
    .toSorted((one, other) => one.ordinal - other.ordinal)
  const isExported = (id: RunId) => records.some(({ run }) => run.id === id)
  const earlierOf = (id: RunId) => records.find(({ resumedBy }) => resumedBy === id)?.run.id ?? null
  return records.map(({ hash, idempotencyKey, run }: RunRecord): Export.Run => {
    const { actor, createdAt, cursor, id, metadata, output, startedAt, usage } = run
    const resumes = isExported(id) ? earlierOf(id) : null
    const fields = {
      type: "run",
      id,
      actor,
      metadata,
      output,
      cursor,
      createdAt,
      startedAt,
      idempotencyKey,
      hash,
      resumes
    } as const
    return run.state === "ended"
      ? { ...fields, usage, stopReason: run.stopReason, detail: run.detail, endedAt: run.endedAt }
      : { ...fields, usage: id === going ? without(usage) : usage, ...Export.goingOn, endedAt: kept.session.updatedAt }
  })
}

export const exported = (
  state: State,
  sessionId: SessionId
): Either.Either<ReadonlyArray<Export.Session | Export.Row>, SessionNotFound> =>
  Either.map(visible(state, sessionId), (kept) => {
    const head = settledHead(kept)
    const left = head < kept.session.head ? usageAt(kept, head + 1) : null
    const without = (total: Usage.Total) => (left === null ? total : Usage.subtract(total, left))
    const going = Option.getOrNull(Option.map(kept.holder, ({ runId }) => runId))
    const { model, usage, ...fields } = kept.session
    const session: Export.Session = {
      ...fields,
      type: "session",
      model: model === null ? null : keptModel(model),
      usage: without(usage),
      head,
      going,
      waiting: kept.queue.length
    }
    const messages = kept.entries.slice(0, head).map(({ actor, at, message, runId, seq }): Export.Message => {
      const { display, finished, startedAt } = Option.getOrElse(HashMap.get(kept.times, seq), () => noTimes)
      const times = { startedAt, finished, display: displayOf(display) }
      return { type: "message", seq, runId, actor, at, message: keptMessage(message), ...times }
    })
    const questions = state.questions.flatMap(
      ({ answer, display, sessionId: of, ...question }): ReadonlyArray<Export.Question> =>
        of !== sessionId || answer === null || question.seq > head
          ? []
          : [{ ...question, type: "question", display: displayOf(display), answer: same(answer) }]
    )
    const keys = [...HashMap.entries(kept.appendKeys)]
      .filter(([, { last }]) => last <= head)
      .map(([key, { first, hash, last }]): Export.AppendKey => ({
        type: "append-key",
        key,
        hash,
        first: Seq.make(first),
        last: Seq.make(last)
      }))
    return [
      session,
      ...runsOf(state, kept, { going, without }),
      ...messages,
      ...questions,
      ...[...kept.granted].toSorted().map((tool): Export.Grant => ({ type: "grant", tool })),
      ...keys.toSorted((one, other) => (one.key < other.key ? -1 : 1)),
      ...kept.assets.map(({ sessionId: _, ...asset }): Export.Asset => ({ ...asset, type: "asset" }))
    ]
  })
