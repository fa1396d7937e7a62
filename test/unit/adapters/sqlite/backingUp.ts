/** Backups and restores in the tests' own process, including their doctor. */
import { Effect, Layer } from "effect"
import * as Remarks from "../../../../src/adapters/cli/Remarks.js"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeFolders from "../../../../src/adapters/node/NodeFolders.js"
import * as Backup from "../../../../src/adapters/sqlite/backup/Backup.js"
import { Examiner } from "../../../../src/adapters/sqlite/backup/Examiner.js"
import * as Doctor from "../../../../src/adapters/sqlite/doctor/Doctor.js"
import * as Restore from "../../../../src/adapters/sqlite/backup/Restore.js"
import { StorageFailed } from "../../../../src/domain/SkeinError.js"
import { databaseIn, look, repair } from "./populated.js"

const asExaminer = (outcomes: ReturnType<typeof look>) =>
  outcomes.pipe(
    Effect.map((outcomes) => outcomes.map(Remarks.of)),
    Effect.mapError((error) => new StorageFailed({ operation: "look at the copy", code: error._tag }))
  )

const examiner = Layer.succeed(Examiner, {
  look: (path) => asExaminer(Effect.provide(Doctor.lookAtDatabase(path), Identity.layer)),
  repair: (data) => asExaminer(repair(data))
})

/** What backups and restores need. */
export const layer = Layer.mergeAll(Identity.layer, NodeFolders.layer, examiner)

export type OnProgress = Backup.Options["onProgress"]

const silently: OnProgress = () => Effect.void

export const backUp = (data: string, file: string, onProgress = silently) =>
  Effect.provide(Backup.make({ data, database: databaseIn(data), files: [file], onProgress }), layer)

/** A restore that takes only what is intact, and a restore that takes whatever can be read. */
export const restore = (data: string, file: string, onProgress = silently) =>
  Effect.provide(Restore.run({ data, file, isSalvage: false, onProgress }), layer)
export const salvage = (data: string, file: string) =>
  Effect.provide(Restore.run({ data, file, isSalvage: true, onProgress: silently }), layer)
