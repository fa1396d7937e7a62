/**
 * A database that fails now and then: a lock that another process holds, a full disk, a commit that fails although it
 * is stored, and a commit that fails and is not stored. After each commit the rows are checked against each other.
 */
import { Effect, FiberRef, Layer } from "effect"
import * as SqliteFailure from "../../../src/adapters/sqlite/SqliteFailure.js"
import { Database, type Service, type Writer } from "../../../src/services/storage/sql/Database.js"
import type { Occurrence } from "./Coverage.js"
import * as Invariants from "./Invariants.js"
import { processOf } from "./SeededScheduler.js"
import type { Dice } from "../../support/verdicts/Dice.js"

/** The probability that an operation of each kind fails. */
const chances = { begin: 0.03, write: 0.01, commit: 0.01, look: 0.01 }

/** How a simulation's databases fail. */
export interface Disk {
  readonly dice: Dice
  /** Receives what is found broken after a commit. */
  readonly breaches: Array<string>
  readonly note: (fault: Occurrence) => void
  /** Whether the disk of a process has no room for any write. */
  readonly isFull: (process: string) => boolean
  /** Closes the connections of a process, which rolls back what it had begun. */
  readonly connections: Map<string, Effect.Effect<void>>
}

/** An invariant that cannot be checked counts as broken, not as a fault of the database. */
const look = (writer: Writer, breaches: Array<string>): void => {
  try {
    const breach = Invariants.breach(writer)
    if (breach !== null) breaches.push(breach)
  } catch (thrown) {
    breaches.push(`an invariant cannot be checked: ${String(thrown)}`)
  }
}

const faulty = (writer: Writer, process: string, { breaches, dice, isFull, note }: Disk): Writer => {
  const { chance } = dice
  const run: Writer["run"] = (statement, ...parameters) => {
    if (statement === "BEGIN IMMEDIATE") {
      if (isFull(process)) throw SqliteFailure.fromCode("SQLITE_FULL")
      if (chance(chances.begin)) {
        note("a BEGIN that finds the lock taken")
        throw SqliteFailure.fromCode("SQLITE_BUSY")
      }
    }
    if (/^INSERT( OR \w+)? INTO event_rows\b/.test(statement) && chance(chances.write)) {
      note("a full disk in the middle of a write")
      // What SQLite does by itself when the disk is full.
      writer.run("ROLLBACK")
      throw SqliteFailure.fromCode("SQLITE_FULL")
    }
    if (statement !== "COMMIT") return writer.run(statement, ...parameters)
    const fails = chance(chances.commit)
    if (fails && chance(0.5)) {
      note("a COMMIT that fails and is not stored")
      throw SqliteFailure.fromCode("SQLITE_IOERR_WRITE")
    }
    const changes = writer.run(statement, ...parameters)
    look(writer, breaches)
    if (fails) {
      note("a COMMIT that fails and is stored")
      throw SqliteFailure.fromCode("SQLITE_IOERR_FSYNC")
    }
    return changes
  }
  const foreignVersion = () => {
    if (chance(chances.look)) {
      note("a failed check for the commits of others")
      throw SqliteFailure.fromCode("SQLITE_IOERR_READ")
    }
    return writer.foreignVersion()
  }
  return { ...writer, run, foreignVersion }
}

/** The same database with a faulty writer. The faults belong to the process that builds the layer. */
export const inject = <E, R>(disk: Disk, database: Layer.Layer<Database, E, R>): Layer.Layer<Database, E, R> =>
  Layer.effect(
    Database,
    Effect.gen(function* () {
      const sound = yield* Database
      const process = yield* FiberRef.get(processOf)
      disk.connections.set(process, sound.discard)
      const service: Service = {
        ...sound,
        writer: Effect.map(sound.writer, (writer) => faulty(writer, process, disk))
      }
      return service
    })
  ).pipe(Layer.provide(database))
