/** The reference for going on without a new message: in a run that stands for the one before it. */
import { Either, HashMap, Option } from "effect"
import {
  InvalidInput,
  type PlacementNotServed,
  RunNotFound,
  type SessionDeleting,
  type SessionNotFound
} from "../../../domain/SkeinError.js"
import type { AdmissionOutcome, Resumption } from "../Storage.js"
import { refOf } from "../../../domain/Run.js"
import { newestOf, newRun, runsOf, start, withKey } from "./Runs.js"
import {
  type Asked,
  changeable,
  inTheWay,
  putRun,
  served,
  type RunRecord,
  type SessionRecord,
  type State,
  type Transition
} from "./State.js"

type Outcome = Exclude<AdmissionOutcome, { readonly _tag: "Queued" }>

export const resume = (
  state: State,
  at: number,
  { actor, of, presence, runId, sessionId }: Resumption & Asked
): Transition<Outcome, SessionNotFound | SessionDeleting | RunNotFound | InvalidInput | PlacementNotServed> =>
  Either.gen(function* () {
    const kept = yield* changeable(state, sessionId)
    const last = runsOf(state, sessionId)
      .filter(({ run }) => run.startedAt !== null)
      .reduce<RunRecord | undefined>((newest, run) => (run.ordinal > (newest?.ordinal ?? 0) ? run : newest), undefined)
    const before = yield* named(state, kept, of, last)
    if (before !== undefined && (of === "newest" ? isAnswered(kept, before) : isSettled(before, last))) {
      return [{ _tag: "Existing", run: before.run, ref: refOf(before.run) }, state]
    }
    yield* served(kept, presence)
    const busyWith = inTheWay(kept)
    if (Option.isSome(busyWith)) return [{ _tag: "Busy", runId: busyWith.value }, state]
    const run = newRun(state, at, kept, {
      runId,
      actor,
      message: null,
      metadata: before?.run.metadata ?? {},
      output: before?.run.output ?? null,
      idempotencyKey: null,
      hash: ""
    })
    const [started, after] = start(state, at, kept, run, presence)
    return [
      { _tag: "Started", ...started },
      before === undefined ? after : putRun(after, { ...before, resumedBy: runId })
    ]
  })

const named = (
  state: State,
  { session }: SessionRecord,
  of: Resumption["of"],
  last: RunRecord | undefined
): Either.Either<RunRecord | undefined, RunNotFound | InvalidInput> => {
  if (of === "newest") return Either.right(last)
  if ("runId" in of) {
    return HashMap.get(state.runs, of.runId).pipe(
      Option.filter(({ run }) => run.sessionId === session.id),
      Option.map((run) => newestOf(state, run)),
      Either.fromOption(() => new RunNotFound(of))
    )
  }
  const run = withKey(state, session.id, of.idempotencyKey)
  return run === undefined
    ? Either.left(
        new InvalidInput({ field: "of.idempotencyKey", limit: "the key of a message", actual: of.idempotencyKey })
      )
    : Either.right(newestOf(state, run))
}

const isSettled = ({ ordinal, run }: RunRecord, last: RunRecord | undefined): boolean =>
  run.state !== "ended" || run.stopReason === "completed" || ordinal !== last?.ordinal

const isAnswered = ({ entries }: SessionRecord, { run }: RunRecord): boolean =>
  run.stopReason === "completed" && entries.at(-1)?.runId === run.id
