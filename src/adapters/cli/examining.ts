/**
 * The program of `DoctorProcess.ts`: `node examining.mjs look PATH` checks a database, `repair DATA` repairs a data
 * folder. It prints its messages as lines of JSON, and `Ended` last.
 */
import { Effect, Schema } from "effect"
import * as Identity from "../node/Identity.js"
import { CheckProgress } from "../../services/storage/sql/doctor/CheckProgress.js"
import * as Doctor from "../sqlite/doctor/Doctor.js"
import { Line } from "./DoctorProcess.js"
import * as Remarks from "./Remarks.js"

const [, , task = "", path = ""] = process.argv

const encode = Schema.encodeSync(Line)
const print = (line: Parameters<typeof encode>[0]) => Effect.sync(() => void process.stdout.write(`${encode(line)}\n`))

// Nobody reads any more: the process that asked is gone.
process.stdout.on("error", () => process.exit(1))

/** A hundred reports are enough. */
const report = (done: number, total: number) =>
  done % Math.ceil(total / 100) === 0 ? print({ _tag: "Progress", done, total }) : Effect.void

const examined = task === "repair" ? Doctor.repair(path) : Doctor.lookAtDatabase(path)

const program = examined.pipe(
  Effect.flatMap(
    Effect.forEach((outcome) => print({ _tag: "Remark", remark: Remarks.of(outcome) }), { discard: true })
  ),
  Effect.catchTags({
    StorageFailed: ({ code, operation }) => print({ _tag: "Failed", operation, code }),
    StorageUnusable: ({ detail, reason }) =>
      print({ _tag: "Failed", operation: "open the copy", code: detail || reason })
  }),
  Effect.zipRight(print({ _tag: "Ended" })),
  Effect.provideService(CheckProgress, { report }),
  Effect.provide(Identity.layer)
)

Effect.runFork(program)
