/**
 * A database that fails now and then: a lock that somebody else holds, a full disk, a commit that fails although it is
 * stored, and one that fails and is not. After each commit the rows are held against each other.
 */
import { Effect, Layer } from "effect"
import * as SqliteFailure from "../../../src/adapters/sqlite/SqliteFailure.js"
import { Database, type Service, type Writer } from "../../../src/services/storage/sql/Database.js"
import * as Invariants from "./Invariants.js"
import type { Dice } from "../../support/verdicts/Dice.js"

/** Of each hundred statements of its kind, how many fail. */
const chances = { begin: 0.03, write: 0.002, commit: 0.01 }

/** An invariant that cannot be looked at is broken too, and is no fault of the database. */
const look = (writer: Writer, breaches: Array<string>): void => {
  try {
    const breach = Invariants.breach(writer)
    if (breach !== null) breaches.push(breach)
  } catch (thrown) {
    breaches.push(`an invariant cannot be looked at: ${String(thrown)}`)
  }
}

const faulty = (writer: Writer, { chance }: Dice, breaches: Array<string>): Writer => {
  const run: Writer["run"] = (statement, ...parameters) => {
    if (statement === "BEGIN IMMEDIATE" && chance(chances.begin)) throw SqliteFailure.fromCode("SQLITE_BUSY")
    if (/^INSERT( OR \w+)? INTO event_rows\b/.test(statement) && chance(chances.write)) {
      // What SQLite does by itself when the disk is full.
      writer.run("ROLLBACK")
      throw SqliteFailure.fromCode("SQLITE_FULL")
    }
    if (statement !== "COMMIT") return writer.run(statement, ...parameters)
    const fails = chance(chances.commit)
    if (fails && chance(0.5)) throw SqliteFailure.fromCode("SQLITE_IOERR_WRITE")
    const changes = writer.run(statement, ...parameters)
    look(writer, breaches)
    if (fails) throw SqliteFailure.fromCode("SQLITE_IOERR_FSYNC")
    return changes
  }
  return { ...writer, run }
}

/** The same database, its writer faulty; what is broken after a commit is added to `breaches`. */
export const inject = <E, R>(
  dice: Dice,
  breaches: Array<string>,
  database: Layer.Layer<Database, E, R>
): Layer.Layer<Database, E, R> =>
  Layer.effect(
    Database,
    Effect.map(Database, (sound): Service => ({
      ...sound,
      writer: Effect.map(sound.writer, (writer) => faulty(writer, dice, breaches))
    }))
  ).pipe(Layer.provide(database))
