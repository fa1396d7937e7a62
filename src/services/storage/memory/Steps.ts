/** The reference for steps: the message, and in the same commit the calls that start immediately or the run's end. */
import { Either, Option } from "effect"
import * as Batch from "../../../domain/Batch.js"
import type { Checked } from "../../../domain/Checked.js"
import type { Lease } from "../../../domain/Lease.js"
import type { AssistantMessage, Entry } from "../../../domain/Message.js"
import * as OpenBatch from "../../../domain/OpenBatch.js"
import type { AppendRefused, LeaseLost, SessionDeleting } from "../../../domain/SkeinError.js"
import * as Transcript from "../../../domain/Transcript.js"
import * as Usage from "../../../domain/Usage.js"
import type { StepSequel } from "../Storage.js"
import { markStarted } from "./Batches.js"
import { close } from "./Endings.js"
import {
  held,
  noTimes,
  putRun,
  putSession,
  type SessionRecord,
  setTimes,
  type State,
  type Transition,
  undeleted
} from "./State.js"
import { appendEntry, nextSeq, transcriptOf } from "./Transcripts.js"

export const appendStep = (
  state: State,
  at: number,
  {
    lease,
    message: { value: message },
    sequel: { displays, end, startedAt, starts = [] }
  }: { readonly lease: Lease; readonly message: Checked<AssistantMessage>; readonly sequel: StepSequel }
): Transition<
  { readonly entry: Entry; readonly calls: ReadonlyArray<OpenBatch.OpenCall> },
  LeaseLost | SessionDeleting | AppendRefused
> =>
  Either.gen(function* () {
    const { kept, keptRun } = yield* held(state, lease)
    yield* undeleted(kept)
    yield* Transcript.append(transcriptOf(kept), message)
    const entry: Entry = { seq: nextSeq(kept), runId: lease.runId, actor: null, at, message }
    const calls = OpenBatch.open(entry.seq, message, displays)
    const opened: SessionRecord = {
      ...setTimes(appendEntry(kept, at, entry), entry.seq, { ...noTimes, startedAt: startedAt ?? null }),
      draft: Option.none(),
      batch: calls.map((call) => ({ call, result: Option.none() }))
    }
    const started = starts.reduce(
      (kept, index) => markStarted(kept, at, lease.runId, Batch.seqOf(entry.seq, index)),
      opened
    )
    const run = { ...keptRun.run, usage: Usage.add(keptRun.run.usage, message.usage) }
    const after = putRun(putSession(state, started), { ...keptRun, run })
    if (end === undefined) return [{ entry, calls: started.batch.map(({ call }) => call) }, after]
    const [, ended] = close(after, at, { kept: started, keptRun: { ...keptRun, run } }, end)
    return [{ entry, calls: [] }, ended]
  })
