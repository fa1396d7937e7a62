/** How sessions leave a storage and come into another: a part of the contract of `Storage`. */
import type { Effect, Stream } from "effect"
import type * as Export from "../../domain/Export.js"
import type { SessionId } from "../../domain/Session.js"
import type { InvalidInput, Read, SessionExists, SessionNotFound, Write } from "../../domain/SkeinError.js"

/** What an export reads. */
export interface ExportReader {
  /**
   * A session as an export has it: its own fields first, then its rows, kind by kind in the order of `Export`, each as it
   * is stored. What is not settled is left out: messages from the step on that has calls without a result, the usage of
   * that step, questions without an answer, runs that wait. The run that holds the session counts as `crashed`.
   */
  readonly exported: (sessionId: SessionId) => Stream.Stream<Export.Session | Export.Row, SessionNotFound | Read>
}

/** The steps of an import: a session is written while it is hidden, and shown at the end. */
export interface ImportWriter {
  /**
   * The first step of an import: a hidden session with the fields of one that was exported, without rows. `SessionExists`
   * also while a deleted session of that id has not been forgotten. Its cursors begin two past its newest and its head
   * where it was exported, and two past the highest cursor of any forgotten session: all older ones are rejected.
   */
  readonly beginImport: (session: Export.Session) => Effect.Effect<void, SessionExists | Write>
  /**
   * Adds rows to a session that is being imported, else `SessionNotFound`; runs before what refers to them. They are such
   * as an export has them, and checked as a whole. `InvalidInput` of `runs` or `questions` when another session has one of
   * that id.
   */
  readonly importRows: (
    sessionId: SessionId,
    rows: ReadonlyArray<Export.Row>
  ) => Effect.Effect<void, InvalidInput | SessionNotFound | Write>
  /**
   * Shows sessions that are being imported, else `SessionNotFound`; event `session.created`. They keep the times that they
   * were exported with, so that it counts among the `deletions` of `changes`. One that `purge` has begun to remove is no longer being imported.
   */
  readonly finishImport: (sessionIds: ReadonlyArray<SessionId>) => Effect.Effect<void, SessionNotFound | Write>
}
