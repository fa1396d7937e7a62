/**
 * The editors that steer sessions, as far as they offer their own files and terminals to tools. An editor's version of
 * a file, saved or not, takes precedence over the one on disk. Where no editor steers a session, tools work on their
 * own.
 */
import { Context, Effect, Option, Schema, type Scope } from "effect"
import * as OneLine from "../../domain/OneLine.js"
import type { SessionId } from "../../domain/Session.js"
import type { Command, Completion, ExecFailed } from "../../services/Exec.js"
import { Call } from "../../services/Tool.js"
import type { Place } from "./WorkspaceFiles.js"

const explanations = {
  gone: "the editor is gone",
  silent: "the editor did not answer in time",
  refused: "the editor refused",
  unknown: "the editor does not know this file"
}

const detailCharacters = 200

/** An editor did not do what it was asked to do. */
export class EditorFailed extends Schema.TaggedError<EditorFailed>()("EditorFailed", {
  reason: Schema.Literal("gone", "silent", "refused", "unknown"),
  /** What it was asked to do, such as "read src/app.ts". */
  asked: Schema.String,
  /** What the editor said, if anything. */
  detail: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const said = this.detail === null ? null : OneLine.first(this.detail, detailCharacters)
    return `Cannot ${this.asked}: ${explanations[this.reason]}${said === null ? "" : ` (${said})`}`
  }
}

/** What an editor does for a session's tools; the tools themselves do what is null here. */
export interface Editor {
  /** The text of a file of the workspace. */
  readonly read: ((place: Place) => Effect.Effect<string, EditorFailed>) | null
  /** Writes a whole file. */
  readonly write: ((place: Place, text: string) => Effect.Effect<void, EditorFailed>) | null
  /** Runs a command to its end, in a terminal that the editor's user sees. */
  readonly run: ((command: Command) => Effect.Effect<Completion, ExecFailed | EditorFailed>) | null
}

interface Service {
  readonly of: (sessionId: SessionId) => Option.Option<Editor>
}

/** The editors of an engine's sessions. Defaults to none. */
export class Editors extends Context.Reference<Editors>()("skein/Editors", {
  defaultValue: (): Service => ({ of: Option.none })
}) {}

/** Editors that come and go. */
export interface Registry extends Service {
  /** The session is this editor's until the scope ends. */
  readonly add: (sessionId: SessionId, editor: Editor) => Effect.Effect<void, never, Scope.Scope>
}

export const make = (): Registry => {
  const editors = new Map<SessionId, Editor>()
  return {
    of: (sessionId) => Option.fromNullable(editors.get(sessionId)),
    add: (sessionId, editor) =>
      Effect.acquireRelease(
        Effect.sync(() => void editors.set(sessionId, editor)),
        () => Effect.sync(() => (editors.get(sessionId) === editor ? editors.delete(sessionId) : false))
      )
  }
}

/** The editor that steers the session of the call that a tool runs for. */
export const current: Effect.Effect<Option.Option<Editor>, never, Call> = Effect.flatMap(Call, ({ sessionId }) =>
  Effect.map(Editors, ({ of }) => of(sessionId))
)
