/**
 * A step's message, and in the same commit what follows from it: the places of its calls, those that start immediately,
 * or the run's end.
 */
import { Chunk } from "effect"
import * as Batch from "../../../domain/Batch.js"
import type { Checked } from "../../../domain/Checked.js"
import type { Lease } from "../../../domain/Lease.js"
import type { AssistantMessage, Entry } from "../../../domain/Message.js"
import * as OpenBatch from "../../../domain/OpenBatch.js"
import type { AppendRefused, LeaseLost, SessionDeleting } from "../../../domain/SkeinError.js"
import * as Transcript from "../../../domain/Transcript.js"
import type { StepSequel } from "../Storage.js"
import { displayText, openCalls, recordStart } from "./Batches.js"
import { dropDraft } from "./Drafts.js"
import { close } from "./Endings.js"
import type { Program } from "./lane/Program.js"
import type { Transaction } from "./lane/Transaction.js"
import { addRunUsage, held, undeleted } from "./SessionRow.js"
import { insert, insertion } from "./Table.js"
import { calls as table } from "./Tables.js"
import { appendEntry, nextSeq } from "./Transcripts.js"

const insertCall = insertion(table, [
  "session",
  "seq",
  "position",
  "follows",
  "state",
  "startedAt",
  "id",
  "name",
  "display"
])

export function* appendStep(
  tx: Transaction,
  {
    lease,
    message: { json, value: message },
    sequel: { displays, end, startedAt, starts = [] }
  }: { readonly lease: Lease; readonly message: Checked<AssistantMessage>; readonly sequel: StepSequel }
): Program<
  { readonly entry: Entry; readonly calls: ReadonlyArray<OpenBatch.OpenCall> },
  LeaseLost | SessionDeleting | AppendRefused
> {
  const session = yield* undeleted(yield* held(tx, lease))
  const open = Chunk.fromIterable(yield* openCalls(tx, session))
  yield* Transcript.append({ sessionId: session.id, head: session.head, open }, message)
  const entry: Entry = { seq: nextSeq(session), runId: lease.runId, actor: null, at: tx.now, message }
  yield* dropDraft(tx, session)
  yield* appendEntry(tx, session, session.run, entry, json, startedAt)
  yield* addRunUsage(tx, session, message.usage)
  const places = OpenBatch.open(entry.seq, message, displays)
  const started = new Set(starts.filter((index) => places[index] !== undefined))
  const follows = session.cursor
  const calls = places.map((call): OpenBatch.OpenCall =>
    started.has(call.index) ? { ...call, state: "started", startedAt: tx.now } : call
  )
  for (const { callId, display, index, name, seq, startedAt, state } of calls) {
    yield* insert(tx, insertCall, {
      session: session.ordinal,
      seq,
      position: index,
      follows,
      state,
      startedAt,
      id: callId,
      name,
      display: displayText(display)
    })
  }
  for (const index of started) yield* recordStart(tx, session, Batch.seqOf(entry.seq, index))
  if (end !== undefined) {
    yield* close(tx, session, end)
    return { entry, calls: [] }
  }
  return { entry, calls }
}
