/**
 * The findings of a doctor and the results of repairs, as data: the kind, the ids concerned, the changes to rows that
 * repair it, what was kept and what was lost. The texts for people belong to the command.
 */
import type { SessionId } from "../../../../domain/Session.js"
import type { StorageUnusable } from "../../../../domain/SkeinError.js"
import type { Change } from "./Change.js"

/** A session, by the ordinal that its rows have and by its id. */
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

/** A row: its table, what people call such a row, and its id. */
interface StoredRow {
  readonly table: string
  readonly row: string
  readonly id: string
  readonly detail: string
}

/** The kinds of findings, each with the ids that it has. */
export interface Ids {
  // Folders and files, without opening them.
  readonly "folder-missing": InFile
  readonly "not-a-folder": InFile
  readonly "no-access": InFile & { readonly code: string }
  readonly "another-user": InFile & { readonly uid: number; readonly self: number }
  /** `closed` are the bits of the mode that should not be set. */
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
  /** A repair was killed while the database had a second name, `twin`. */
  readonly "half-repaired": InFile & { readonly twin: string }
  readonly unusable: InFile & { readonly reason: StorageUnusable["reason"]; readonly detail: string }
  readonly unreadable: InFile & { readonly operation: string; readonly code: string }
  readonly "older-version": InFile & { readonly version: number; readonly newest: number }
  readonly "log-in-use": InFile
  /** The first check saw damage, and a second process did not confirm it. */
  readonly "read-error": InFile & { readonly first: string; readonly second: "sound" | "no-answer" | "unread" }
  readonly "pages-damaged": InFile & { readonly problem: string }
  /** The header names another program or another version than the migrations do. */
  readonly "marks-damaged": InFile
  /** `names` are those of tables, indexes, views and triggers. */
  readonly "schema-changed": InFile & { readonly names: ReadonlyArray<string> }
  readonly "columns-missing": InFile & { readonly names: ReadonlyArray<string> }

  // Rows.
  /** `names` are the ids that a repair gives the sessions. */
  readonly "session-rows-missing": InFile & { readonly names: ReadonlyArray<string> }
  /** A row that belongs to no session, or the part of a row that identifies a session. */
  readonly "shared-row-damaged": InFile & StoredRow
  readonly "session-unreadable": InSession & { readonly operation: string; readonly code: string }
  readonly "deletion-unfinished": InSession
  readonly "import-unfinished": InSession
  readonly "run-left-behind": InSession & { readonly run: string }
  readonly "row-damaged": InSession & StoredRow
  /** The damaged value cannot be replaced. */
  readonly "row-beyond-repair": InSession & StoredRow
  readonly "message-damaged": AtPlace & { readonly detail: string }
  readonly "message-misplaced": AtPlace & { readonly reason: string }
  readonly "messages-missing": Stretch
  /** `seq` is the place where the message belongs; null when that is unknown. */
  readonly "message-misnumbered": InSession & { readonly number: string; readonly seq: number | null }
  readonly "call-answered": AtPlace
  readonly "call-abandoned": AtPlace
  /** No message asks for this open call. */
  readonly "call-unasked": AtPlace
  /** `event` is the cursor of the first damaged one. */
  readonly "events-damaged": InSession & { readonly event: number; readonly detail: string }

  // Assets.
  /** The file is missing, or is not what was saved. */
  readonly "asset-lost": InSession & InFile & { readonly asset: string; readonly isMissing: boolean }
  readonly "asset-unreadable": InSession & InFile & { readonly asset: string }
  readonly "stray-file": InFile & { readonly isAsset: boolean }
  readonly "save-running": InFile
}

export type Kind = keyof Ids

export interface FindingOf<K extends Kind> {
  readonly kind: K
  readonly ids: Ids[K]
  /** The changes to rows that repair it. Null when it is repaired in another way, or not at all. */
  readonly changes: ReadonlyArray<Change> | null
}

export type Finding = { readonly [K in Kind]: FindingOf<K> }[Kind]

export const make = <K extends Kind>(
  kind: K,
  ids: Ids[K],
  changes: ReadonlyArray<Change> | null = null
): FindingOf<K> => ({ kind, ids, changes })

/** Kinds that are not damage. */
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

/** Whether a finding is not damage. The next engine removes what a save or a deletion left behind. */
export const isNote = (finding: Finding): boolean =>
  notes.has(finding.kind) ||
  (finding.kind === "left-behind" && (finding.ids.by === "save" || finding.ids.by === "deletion"))

/** How many messages of a session were kept and lost. */
export interface SessionTally {
  readonly id: string
  readonly kept: number
  readonly lost: number
}

/** The result of a repair. */
export interface RepairResult {
  /** Paths in `aside` at which the originals are now. */
  readonly aside: ReadonlyArray<string>
  /** Ids of sessions that were recovered. */
  readonly recovered: ReadonlyArray<string>
  /** How many rows were lost. In a rebuilt database: rows that could not be read, plus one for each unreadable page. */
  readonly lost: number
  /** What was kept of each session of a rebuilt database. */
  readonly sessions: ReadonlyArray<SessionTally>
}

export const repairResult = (done: Partial<RepairResult> = {}): RepairResult => ({
  aside: [],
  recovered: [],
  lost: 0,
  sessions: [],
  ...done
})

/** A finding, and what was done about it. */
export type Outcome =
  | { readonly _tag: "Found"; readonly finding: Finding; readonly isRepairable: boolean }
  | { readonly _tag: "Repaired"; readonly finding: Finding; readonly repaired: RepairResult }
  | { readonly _tag: "Failed"; readonly finding: Finding; readonly code: string }

/** Whether the data folder is still damaged afterwards. */
export const isDamage = (outcome: Outcome): boolean => outcome._tag !== "Repaired" && !isNote(outcome.finding)
