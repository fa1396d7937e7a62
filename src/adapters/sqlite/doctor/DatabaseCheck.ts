/**
 * What the database's file is, and whether its pages are sound. A page that looks damaged is looked at again by a fresh
 * process: an error on a read shows as damage of a healthy file, and nothing is done on that word alone.
 */
import type Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import type { StorageFailed, StorageUnusable } from "../../../domain/SkeinError.js"
import { folderName as asideName } from "../Aside.js"
import { codeOf } from "../../ErrorCode.js"
import { inspect } from "../Inspection.js"
import * as Migrations from "../Migrations.js"
import * as Unusable from "../Unusable.js"
import { forLooking } from "./Connection.js"
import { beyondRepair, damage, type Files, type Finding, note } from "./Finding.js"
import * as FreshProcess from "./FreshProcess.js"
import * as DataLayout from "../DataLayout.js"

/** What a look at the file comes to. */
export type Verdict =
  /** Its rows can be looked at. */
  | { readonly _tag: "Sound"; readonly findings: ReadonlyArray<Finding<Files>> }
  /** Its rows cannot be looked at. */
  | { readonly _tag: "Closed"; readonly findings: ReadonlyArray<Finding<Files>> }
  /** Its pages are damaged, as two processes say. */
  | { readonly _tag: "Damaged"; readonly problems: ReadonlyArray<string> }

const closed = (...findings: ReadonlyArray<Finding<Files>>): Verdict => ({ _tag: "Closed", findings })

const backupFirst = "copy the whole data folder somewhere safe and check the disk"

const hasBytes = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0

/** What the system alone tells of the file. */
const fromOutside = (path: string): ReadonlyArray<Finding<Files>> => {
  const found = statSync(path)
  if (!found.isFile()) return [beyondRepair(path, "it is no file", "move it away")]
  if (found.size === 0) {
    const log = [DataLayout.logEnding, DataLayout.journalEnding].find((end) => hasBytes(path + end))
    return log === undefined
      ? [note(path, "it is empty", "the first session begins it anew")]
      : [moveAside(path, `it is empty, though it has a log (${path}${log})`)]
  }
  if (found.size < 512) return [moveAside(path, `it is no database (${found.size} bytes)`)]
  const twin = found.nlink > 1 ? twinOf(path) : undefined
  if (twin !== undefined) return [halfRepaired(path, twin)]
  if (found.nlink > 1) {
    return [
      beyondRepair(
        path,
        `it has ${found.nlink} names, and a log beside one of them only`,
        "remove the other names of it"
      )
    ]
  }
  return []
}

/** The database with all that belongs to it. */
export const partsOf = (path: string): ReadonlyArray<string> =>
  ["", ...DataLayout.endings].map((end) => path + end).filter((part) => existsSync(part))

const moveAside = (path: string, what: string): Finding<Files> =>
  damage(
    path,
    what,
    "it is moved aside whole, so that a backup can be restored or a new one begun",
    ({ aside }: Files) =>
      partsOf(path)
        .toReversed()
        .map((part) => `moved to ${aside.move(part)}`)
        .join(", ")
  )

const refused = (error: StorageUnusable | StorageFailed): Finding<unknown> => {
  if (error._tag === "StorageFailed") return beyondRepair("the database", error.message, backupFirst)
  const { detail, path, reason } = error
  switch (reason) {
    case "foreign-database":
      return beyondRepair(path, "it is the database of another program", "use another data folder; it is left alone")
    case "newer-version":
      return beyondRepair(path, `it is of a newer version (${detail})`, "use a newer Skein; it is left alone")
    case "locked":
      return beyondRepair(path, "another process keeps it for itself", "look again when that is over")
    case "no-access":
      return beyondRepair(path, `it cannot be opened (${detail})`, "give yourself access to it and its folder")
    case "old-sqlite":
      return beyondRepair(path, `the SQLite here is too old (${detail})`, "install Skein anew")
    default:
      return beyondRepair(path, error.message, backupFirst)
  }
}

const problemsOf = (connection: Sqlite.Database): ReadonlyArray<string> => {
  try {
    return connection
      .prepare<[], string>("PRAGMA integrity_check(20)")
      .pluck()
      .all()
      .filter((problem) => problem !== "ok")
  } catch (thrown) {
    return [codeOf(thrown)]
  }
}

/** Whether a problem is that the disk did not give what stands on it, which says nothing of what that is. */
const isReadError = (problem: string): boolean => {
  const [, code] = /error code=(\d+)/.exec(problem) ?? []
  return problem.startsWith("SQLITE_IOERR") || (code !== undefined && (Number(code) & 0xff) === ioError)
}

/** SQLITE_IOERR, of which all codes of failed reads are made. */
const ioError = 10

/** What a second process says of a file that looked damaged. Only problems that it saw itself count as damage. */
const lookAgain = (path: string, first: string) =>
  Effect.map(FreshProcess.look(path), (second): Verdict => {
    const unsure = (again: string) =>
      closed(
        beyondRepair(
          path,
          `it looked damaged (${first}); a fresh process ${again}`,
          "nothing is changed: the disk did not give what stands on it. Make a backup now and check the disk"
        )
      )
    switch (second._tag) {
      case "Broken":
        return unsure("to check it again did not answer")
      case "Refused":
        return isDamage(second.code)
          ? { _tag: "Damaged", problems: [second.code] }
          : unsure(`could not read it either (${second.code})`)
      case "Looked": {
        const problems = second.problems.filter((problem) => problem !== "ok")
        if (problems.length === 0) return unsure("checked it again and found it sound")
        const unread = problems.find(isReadError)
        return unread === undefined ? { _tag: "Damaged", problems } : unsure(`could not read it either (${unread})`)
      }
    }
  })

const isDamage = (code: string): boolean => code.startsWith("SQLITE_CORRUPT") || code.startsWith("SQLITE_NOTADB")

/** Looks at the file, which must exist. */
export const check = (path: string): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const outside = fromOutside(path)
    if (outside.length > 0) return closed(...outside)
    const inspection = yield* Effect.either(
      Effect.try({ try: () => inspect(path, Migrations.newest), catch: Unusable.fromUnknown(path) })
    )
    if (inspection._tag === "Left") {
      const error = inspection.left
      const isDamage =
        error._tag === "StorageUnusable"
          ? error.reason === "damaged" || error.reason === "not-a-database"
          : error.code.startsWith("SQLITE_IOERR")
      if (!isDamage) return closed(refused(error))
      const verdict = yield* lookAgain(path, error._tag === "StorageUnusable" ? error.detail : error.code)
      const isNone = verdict._tag === "Damaged" && verdict.problems.every((problem) => problem === "SQLITE_NOTADB")
      return isNone ? closed(moveAside(path, "it is no database, or its first page is destroyed")) : verdict
    }
    if (inspection.right === 0) return closed(note(path, "it is new and holds nothing", "nothing has to be done"))
    const problems = yield* Effect.scoped(Effect.map(forLooking(path), problemsOf)).pipe(
      Effect.catchAll((error) => Effect.succeed([error.message]))
    )
    const [problem] = problems
    if (problem !== undefined) return yield* lookAgain(path, problem)
    const log = `${path}${DataLayout.logEnding}`
    const findings: Array<Finding<Files>> = []
    if (inspection.right < Migrations.newest) {
      const what = `it is of version ${inspection.right}; this Skein uses ${Migrations.newest}`
      return closed(
        note(path, what, "the next command that uses it brings it there; its sessions can be looked at then")
      )
    }
    if (hasBytes(log)) {
      findings.push(
        note(log, "a log that is in use, or was left by a process that died", "the next engine takes it in")
      )
    }
    return { _tag: "Sound", findings }
  })

/** The other name of a database whose repair was killed half-way. */
const twinOf = (path: string): string | undefined => {
  const folder = join(dirname(path), asideName)
  if (!existsSync(folder)) return undefined
  const { ino } = statSync(path)
  return readdirSync(folder)
    .map((time) => DataLayout.databaseIn(join(folder, time)))
    .find((twin) => existsSync(twin) && statSync(twin).ino === ino)
}

const halfRepaired = (path: string, twin: string): Finding<Files> =>
  damage(path, `a repair was killed half-way and left it a second name, ${twin}`, "what was moved comes back", () => {
    for (const end of DataLayout.endings) {
      if (existsSync(twin + end) && !hasBytes(path + end)) renameSync(twin + end, path + end)
    }
    rmSync(twin)
    return "undone; it can be repaired anew"
  })
