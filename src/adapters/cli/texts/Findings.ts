/** What people read about a doctor's findings and repairs: an entry for each kind, and a line for each outcome. */
import { counted } from "../../../domain/Amounts.js"
import { unread } from "./Maintenance.js"
import { inUse } from "../../../services/storage/sql/doctor/Database.js"
import { assets, eventRows, tables } from "../../../services/storage/sql/Tables.js"
import {
  type Finding,
  type FindingOf,
  type Ids,
  isNote,
  type Kind,
  type Outcome,
  type RepairResult
} from "../../../services/storage/sql/doctor/Finding.js"

/** What is wrong, what a repair does or a person can do about it, and what a repair did. */
type Text = readonly [what: string, remedy: string, done?: string]

const range = (first: number, last: number): string => (first === last ? `${first}` : `${first} to ${last}`)

/** What a finding is about: a path, or a session and the part of it. @internal */
export const where = (ids: Ids[Kind]): string => {
  if (!("session" in ids)) return ids.path
  const session = `session ${ids.session.id}`
  if ("asset" in ids) return `${session}, asset ${ids.asset}`
  if ("row" in ids) return ids.row === "session" ? session : `${session}, ${ids.row} ${ids.id}`
  if ("seq" in ids) return `${session} at ${ids.seq}`
  if ("first" in ids) return `${session} at ${range(ids.first, ids.last)}`
  if ("event" in ids) return `${session}, events ${ids.event}`
  return session
}

const backupFirst = "copy the whole data folder to a safe place and check the disk"
const busy = "not repaired, because an engine is working on the session"
const again = "make a backup, then check again"

const unusable = ({ detail, reason }: Ids["unusable"]): Text => {
  switch (reason) {
    case "foreign-database":
      return ["the database of another program", "use another data folder; this one is left alone"]
    case "newer-version":
      return [`written by a newer version (${detail})`, "use a newer Skein; the database is left alone"]
    case "locked":
      return ["locked by another process", "check again when that process has ended"]
    case "no-access":
      return [`cannot be opened (${detail})`, "give yourself access to it and to its folder"]
    case "old-sqlite":
      return [`this SQLite is too old (${detail})`, "install Skein again"]
    case "two-copies":
      return [`open in this process through another copy of SQLite (${detail})`, "install only one copy of Skein"]
    default:
      return [`cannot be used: ${reason}${detail === "" ? "" : ` (${detail})`}`, backupFirst]
  }
}

const leftBy = {
  backup: "left by a killed backup or restore",
  repair: "left by a killed repair or migration",
  save: "a save left unfinished by a process that died",
  deletion: "a file whose asset was deleted"
}

const notDatabase = {
  "log-only": "empty, although it has a log",
  "too-short": "too short for a database",
  "no-header": "not a database, or its first page is destroyed"
}

const secondLook = {
  sound: "checked it again and found no damage",
  unread: "could not read it either",
  "no-answer": "was asked to check it again and did not answer"
}

/** The repair of a row whose original is kept. */
const kept = (table: string): string =>
  `${tables.find(({ name }) => name === table)?.damage.remedy ?? "repair it"}; the original is moved aside`

const texts: { readonly [K in Kind]: (ids: Ids[K]) => Text } = {
  "folder-missing": () => ["no such folder", "the first session creates it"],
  "not-a-folder": () => ["not a folder", "use another path for the data"],
  "no-access": ({ code }) => [`no access (${code})`, "give yourself access, or use another folder"],
  "another-user": ({ self, uid }) => [
    `belongs to user ${uid}, not to you (${self})`,
    "chown it, or use another folder"
  ],
  "open-to-others": ({ mode }) => [
    `${(mode & 0o022) === 0 ? "readable" : "writable"} by other users (mode ${(mode & 0o777).toString(8)})`,
    "restrict it to you",
    "restricted to you"
  ],
  "stray-log": () => ["a log without its database", "move it aside", "moved aside"],
  "left-behind": ({ by }) => [leftBy[by], "remove it", "removed"],
  "migration-copy": () => ["a copy made before a migration", "delete it when you no longer need it"],

  "database-missing": () => ["no database", "the first session creates it"],
  "database-lost": () => ["no database, although there are files of sessions", "restore a backup"],
  "database-empty": () => ["empty", "the first session fills it"],
  "database-new": () => ["new, without sessions", "nothing to do"],
  "not-a-file": () => ["not a file", "move it away"],
  "not-a-database": ({ why }) => [
    notDatabase[why],
    "move it aside with its log; then restore a backup or start again",
    "moved aside"
  ],
  "many-names": ({ count }) => [`has ${count} names, and a log next to only one of them`, "remove its other names"],
  "half-repaired": ({ twin }) => [
    `a killed repair left it with a second name, ${twin}`,
    "undo that repair",
    "undone; it can be repaired again"
  ],
  unusable,
  unreadable: ({ code, operation }) => [`cannot ${operation} (${code})`, again],
  "older-version": ({ newest, version }) => [
    `has version ${version}; this Skein uses ${newest}`,
    "the next command that uses it migrates it; its sessions can be checked then"
  ],
  "log-in-use": () => ["a log that is in use, or was left by a process that died", "the next engine merges it"],
  "read-error": ({ first, second }) => [
    `looked damaged (${first}); a fresh process ${secondLook[second]}`,
    "the disk returned errors, so nothing is changed. Make a backup now and check the disk"
  ],
  "pages-damaged": ({ problem }) => [
    `damaged: ${problem}`,
    "copy everything readable into a new database, and move this one aside",
    "rebuilt"
  ],
  "marks-damaged": () => [
    "does not say which program and version it belongs to",
    "copy everything readable into a new database, and move this one aside",
    "rebuilt"
  ],
  "schema-changed": ({ names }) => [
    `does not have the schema of this version: ${names.join(", ")}`,
    "copy its rows into a new database, and move this one aside",
    "rebuilt"
  ],
  "columns-missing": ({ names }) => [
    `does not have the columns of this version: ${names.join(", ")}`,
    "restore a backup"
  ],

  "session-rows-missing": ({ names: { length } }) => [
    `rows of ${counted(length, "session")} whose own row is missing`,
    "give each a row, as a session named Recovered",
    "recovered"
  ],
  "shared-row-damaged": ({ detail, id, row, table }) => [`the ${row} ${id} ${detail}`, kept(table)],
  "session-unreadable": ({ code, operation }) => [`cannot ${operation} (${code})`, again],
  "deletion-unfinished": () => ["its deletion is not finished", "the next engine finishes it"],
  "import-unfinished": () => [
    "its import is not finished",
    "if its process died, the next engine removes what is left of it"
  ],
  "run-left-behind": ({ run }) => [
    `run ${run} was left by a process that died`,
    "the next message or --resume continues it"
  ],
  "row-damaged": ({ detail, row, table }) => [`the ${row} ${detail}`, kept(table)],
  "row-beyond-repair": ({ detail, row }) => [`the ${row} ${detail}`, "restore a backup, or delete the session"],
  "message-damaged": ({ detail }) => [
    `the message ${detail}`,
    "replace it with a placeholder; the original is moved aside"
  ],
  "message-misplaced": ({ reason }) => [
    `the message is not allowed at this position (${reason})`,
    "nothing to do: models get the transcript in a form that they accept"
  ],
  "messages-missing": ({ first, last }) => [
    first === last ? "the message is missing" : "the messages are missing",
    "insert a placeholder for each"
  ],
  "message-misnumbered": ({ number, seq }) => [
    `a message has the number ${number}`,
    seq === null ? "move it aside" : `move it to ${seq}`,
    "moved"
  ],
  "call-answered": () => [
    "an open call that already has a result",
    "move the call aside; its result stays",
    "moved aside"
  ],
  "call-abandoned": () => [
    "an open call without a run to finish it",
    "give it a result that says what is known about it; the original is moved aside"
  ],
  "call-unasked": () => ["an open call that no message asks for", "move it aside", "moved aside"],
  "events-damaged": ({ detail }) => [`events from this one on are damaged: ${detail}`, eventRows.damage.remedy],

  "asset-lost": ({ isMissing, path }) => [
    `its file is ${isMissing ? "missing" : "not what was saved"}: ${path}`,
    kept(assets.name)
  ],
  "asset-unreadable": ({ path }) => [`its file cannot be read: ${path}`, "check the permissions and the disk"],
  "stray-file": ({ isAsset }) => [
    isAsset ? "a file without an asset" : "not put there by Skein",
    "move it aside",
    "moved aside"
  ],
  "save-running": () => ["a save is running", "check again when it has ended"]
}

const of = <K extends Kind>({ ids, kind }: FindingOf<K>): Text => texts[kind](ids)

/** What a rebuilt database has kept, by session. */
const keptIn = (sessions: RepairResult["sessions"]): ReadonlyArray<string> => {
  const damaged = sessions.filter(({ lost }) => lost > 0)
  const whole = sessions.length - damaged.length
  return [
    ...(whole === 0 ? [] : [`${counted(whole, "session")} kept in full`]),
    ...damaged.map(({ id, kept, lost }) => `session ${id} kept ${kept} of ${counted(kept + lost, "message")}`)
  ]
}

const did = ({ aside, lost, recovered, sessions }: RepairResult): ReadonlyArray<string> => [
  ...keptIn(sessions),
  ...(lost === 0 ? [] : [sessions.length === 0 ? `${counted(lost, "row")} lost` : unread(lost)]),
  ...(recovered.length === 0 ? [] : [`sessions recovered: ${recovered.join(", ")}`]),
  ...(aside.length === 0 ? [] : [`the original is now: ${aside.join(" and ")}`])
]

/** Where a finding is, and what it is. */
export const about = (finding: Finding): string => `${where(finding.ids)}: ${of(finding)[0]}`

/** Columns of the word that a line begins with. */
export const headColumns = 9

/** An outcome as a line for people, without its end. */
export const line = (outcome: Outcome): string => {
  const [, remedy, done = "done"] = of(outcome.finding)
  const what = about(outcome.finding)
  switch (outcome._tag) {
    case "Repaired":
      return `repaired ${[what, done, ...did(outcome.repaired)].join("; ")}`
    case "Failed":
      return `damage   ${what}; ${outcome.code === inUse ? busy : `the repair failed (${outcome.code})`}`
    case "Found":
      if (isNote(outcome.finding)) return `note     ${what}; ${outcome.isRepairable ? "with --repair: " : ""}${remedy}`
      return `damage   ${what}; ${outcome.isRepairable ? "with --repair: " : ""}${remedy}`
  }
}
