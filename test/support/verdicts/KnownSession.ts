/** A session as the campaign knows it: what was acknowledged to its clients, and what may have happened since. */
import type { Ref, RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import type { Service as Gateway } from "../../../src/services/gateway/Gateway.js"
import type { ReaderService } from "../../../src/services/storage/Storage.js"

/** What is known about one session from outside. */
export interface KnownSession {
  readonly id: SessionId
  /** Runs that were acknowledged, with their messages. */
  readonly sent: Map<RunId, { readonly ref: Ref; readonly text: string }>
  /** The last acknowledged title, and one that may have been set since. */
  title: { acknowledged: string | null; pending: string | null }
  deletion: "none" | "asked" | "done"
}

export const known = (id: string): KnownSession => ({
  id: SessionId.make(id),
  sent: new Map(),
  title: { acknowledged: null, pending: null },
  deletion: "none"
})

/** An engine as a campaign sees it, with the name of its process. */
export interface Process {
  readonly process: string
  readonly gateway: Gateway
  readonly reader: ReaderService
}
