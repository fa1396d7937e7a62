/**
 * What a doctor finds and what a repair did, as data: a kind, the ids that it is about, the changes to rows that mend it,
 * what was kept and what was lost. What people read of it is in the command's texts.
 */
import type { SessionId } from "../../../../domain/Session.js"
import type { StorageUnusable } from "../../../../domain/SkeinError.js"
import type { Change } from "./Change.js"

/** A session by its rows' number and by its id. */
export interface SessionKey {
  readonly ordinal: number
  readonly id: SessionId
}

interface InFile {
  readonly path: string
}

interface InSession {
  readonly session: SessionKey
}

interface AtPlace extends InSession {
  readonly seq: number
}

interface Stretch extends InSession {
  readonly first: number
  readonly last: number
}

/** A row by its table, by what it is called, and by its id. */
interface StoredRow {
  readonly table: string
  readonly row: string
  readonly id: string
  readonly detail: string
}

/** The kinds of findings, each with its ids. */
export interface Ids {
  // Folders and files, from outside.
  readonly "folder-missing": InFile
  readonly "not-a-folder": InFile
  readonly "no-access": InFile & { readonly code: string }
  readonly "another-user": InFile & { readonly uid: number; readonly self: number }
  /** `closed` are the bits of the mode that are to be unset. */
  readonly "open-to-others": InFile & { readonly mode: number; readonly closed: number }
  readonly "stray-log": InFile
  /** Unfinished work of a process that died. */
  readonly "left-behind": InFile & { readonly by: "backup" | "repair" | "save" | "deletion" }
  readonly "migration-copy": InFile

  // The database's file.
  readonly "database-missing": InFile
  readonly "database-lost": InFile
  readonly "database-empty": InFile
  readonly "database-new": InFile
  readonly "not-a-file": InFile
  readonly "not-a-database": InFile & { readonly why: "log-only" | "too-short" | "no-header" }
  readonly "many-names": InFile & { readonly count: number }
  /** A repair was killed when the database had a second name, `twin`. */
  readonly "half-repaired": InFile & { readonly twin: string }
  readonly unusable: InFile & { readonly reason: StorageUnusable["reason"]; readonly detail: string }
  readonly unreadable: InFile & { readonly operation: string; readonly code: string }
  readonly "older-version": InFile & { readonly version: number; readonly newest: number }
  readonly "log-in-use": InFile
  /** A first look saw damage that a second process did not see. */
  readonly "read-error": InFile & { readonly first: string; readonly second: "sound" | "no-answer" | "unread" }
  readonly "pages-damaged": InFile & { readonly problem: string }
  /** The header says another program or another version than the migrations. */
  readonly "marks-damaged": InFile
  /** `names` are those of tables, indexes, views and triggers. */
  readonly "schema-changed": InFile & { readonly names: ReadonlyArray<string> }
  readonly "columns-missing": InFile & { readonly names: ReadonlyArray<string> }

  // Rows.
  /** `names` are the ids that the sessions get. */
  readonly "session-rows-missing": InFile & { readonly names: ReadonlyArray<string> }
  /** A row that is of no session, or names one. */
  readonly "shared-row-damaged": InFile & StoredRow
  readonly "session-unreadable": InSession & { readonly operation: string; readonly code: string }
  readonly "deletion-unfinished": InSession
  readonly "import-unfinished": InSession
  readonly "run-left-behind": InSession & { readonly run: string }
  readonly "row-damaged": InSession & StoredRow
  /** Has damage that nothing can replace. */
  readonly "row-beyond-repair": InSession & StoredRow
  readonly "message-damaged": AtPlace & { readonly detail: string }
  readonly "message-misplaced": AtPlace & { readonly reason: string }
  readonly "messages-missing": Stretch
  /** `seq` is the place that it belongs in; null when that is not known. */
  readonly "message-misnumbered": InSession & { readonly number: string; readonly seq: number | null }
  readonly "call-answered": AtPlace
  readonly "call-abandoned": AtPlace
  /** An open call that no message asked for. */
  readonly "call-unasked": AtPlace
  /** `event` is the cursor of the first. */
  readonly "events-damaged": InSession & { readonly event: number; readonly detail: string }

  // Assets.
  /** Its file is missing, or not what was saved. */
  readonly "asset-lost": InSession & InFile & { readonly asset: string; readonly isMissing: boolean }
  readonly "asset-unreadable": InSession & InFile & { readonly asset: string }
  readonly "stray-file": InFile & { readonly isAsset: boolean }
  readonly "save-running": InFile
}

export type Kind = keyof Ids

export interface FindingOf<K extends Kind> {
  readonly kind: K
  readonly ids: Ids[K]
  /** What mends it: changes to rows. Null when that is something else, or nothing. */
  readonly changes: ReadonlyArray<Change> | null
}

export type Finding = { readonly [K in Kind]: FindingOf<K> }[Kind]

export const make = <K extends Kind>(
  kind: K,
  ids: Ids[K],
  changes: ReadonlyArray<Change> | null = null
): FindingOf<K> => ({ kind, ids, changes })

/** Kinds that are no damage. */
const notes: ReadonlySet<Kind> = new Set<Kind>([
  "folder-missing",
  "migration-copy",
  "database-missing",
  "database-empty",
  "database-new",
  "older-version",
  "log-in-use",
  "deletion-unfinished",
  "import-unfinished",
  "message-misplaced",
  "run-left-behind",
  "save-running"
])

/** Whether it is no damage. What a save or a deletion left, the next engine would remove as well. */
export const isNote = (finding: Finding): boolean =>
  notes.has(finding.kind) ||
  (finding.kind === "left-behind" && (finding.ids.by === "save" || finding.ids.by === "deletion"))

/** How many messages a session has kept and lost. */
export interface SessionTally {
  readonly id: string
  readonly kept: number
  readonly lost: number
}

/** What a repair did. */
export interface RepairResult {
  /** Paths in `aside` where the original is now. */
  readonly aside: ReadonlyArray<string>
  /** Ids of sessions that were recovered. */
  readonly recovered: ReadonlyArray<string>
  /** How many rows were lost. For a rebuilt database these could not be read, and a page of which nothing could is one. */
  readonly lost: number
  /** What each session of a rebuilt database has kept. */
  readonly sessions: ReadonlyArray<SessionTally>
}

export const repairResult = (done: Partial<RepairResult> = {}): RepairResult => ({
  aside: [],
  recovered: [],
  lost: 0,
  sessions: [],
  ...done
})

/** What became of a finding. */
export type Outcome =
  | { readonly _tag: "Found"; readonly finding: Finding; readonly isRepairable: boolean }
  | { readonly _tag: "Repaired"; readonly finding: Finding; readonly repaired: RepairResult }
  | { readonly _tag: "Failed"; readonly finding: Finding; readonly code: string }

/** Whether it leaves the data folder damaged. */
export const isDamage = (outcome: Outcome): boolean => outcome._tag !== "Repaired" && !isNote(outcome.finding)
