/** What a call is run with: the run that it belongs to, its row in the batch, and what the model asked for. */
import type { Lease } from "../../domain/Lease.js"
import type { CallPart } from "../../domain/Message.js"
import type { Run } from "../../domain/Run.js"
import type { Session } from "../../domain/Session.js"
import type { Agent } from "../Agents.js"
import type { OpenCall } from "../storage/Storage.js"

/** The run that calls belong to. */
export interface RunContext {
  readonly session: Session
  readonly run: Run
  readonly lease: Lease
  /** The agent of the step that asks for the calls. */
  readonly agent: Agent
}

export interface CallRun {
  readonly context: RunContext
  readonly call: OpenCall
  readonly part: CallPart
}

/** The ids of a call, for its spans. */
export const idsOf = ({ context, part }: Pick<CallRun, "context" | "part">) => ({
  sessionId: context.session.id,
  runId: context.run.id,
  callId: part.callId
})
