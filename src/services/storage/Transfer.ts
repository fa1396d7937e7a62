/** How sessions leave one storage and enter another: a part of the contract of `Storage`. */
import type { Effect, Stream } from "effect"
import type * as Export from "../../domain/Export.js"
import type { SessionId } from "../../domain/Session.js"
import type { InvalidInput, Read, SessionExists, SessionNotFound, Write } from "../../domain/SkeinError.js"

/** What an export reads. */
export interface ExportReader {
  /**
   * A session as an export has it: its own fields first, then its rows, kind by kind in the order of `Export`, each as
   * it is stored. What is not settled is left out: the messages from a step with open calls onwards, the usage of that
   * step, unanswered questions, and runs that wait. The run that holds the session counts as `crashed`.
   */
  readonly exported: (sessionId: SessionId) => Stream.Stream<Export.Session | Export.Row, SessionNotFound | Read>
}

/** The steps of an import: a session is written while it is hidden, and shown at the end. */
export interface ImportWriter {
  /**
   * The first step of an import: creates a hidden session with the fields of an exported one and without rows. Fails
   * with `SessionExists` also while a deleted session with that id has not been forgotten. The session's cursors begin
   * two past the newest cursor and the head that it was exported with, and two past the highest cursor of any forgotten
   * session, so that all older cursors are rejected.
   */
  readonly beginImport: (session: Export.Session) => Effect.Effect<void, SessionExists | Write>
  /**
   * Adds rows to a session that is being imported, else `SessionNotFound`; runs come before the rows that refer to
   * them. The rows are those of an export, already checked as a whole. Fails with `InvalidInput` of `runs` or
   * `questions` when another session has one with that id.
   */
  readonly importRows: (
    sessionId: SessionId,
    rows: ReadonlyArray<Export.Row>
  ) => Effect.Effect<void, InvalidInput | SessionNotFound | Write>
  /**
   * Shows sessions that are being imported, else `SessionNotFound`; event `session.created`. They keep the times that
   * they were exported with, so the import counts among the `deletions` of `changes`. A session that `purge` has begun
   * to remove is no longer being imported.
   */
  readonly finishImport: (sessionIds: ReadonlyArray<SessionId>) => Effect.Effect<void, SessionNotFound | Write>
}
