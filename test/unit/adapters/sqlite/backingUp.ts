/**
 * A process of the tests: backs up or restores, prints a line for each piece that is done, and waits for ever at the
 * one whose number it is given, so that it can be killed there.
 */
import { Effect, Layer } from "effect"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeFolders from "../../../../src/adapters/node/NodeFolders.js"
import * as Backup from "../../../../src/adapters/sqlite/backup/Backup.js"
import * as Restore from "../../../../src/adapters/sqlite/backup/Restore.js"

const [, , what = "", data = "", file = "", stopAt = ""] = process.argv

let pieces = 0

const onProgress = () =>
  Effect.suspend(() => {
    console.log(++pieces)
    return pieces === Number(stopAt) ? Effect.never : Effect.void
  })

const program: Effect.Effect<unknown, unknown, Effect.Effect.Context<ReturnType<typeof Backup.make>>> = what ===
"backup"
  ? Backup.make({ data, file, onProgress })
  : Restore.run({ data, file, onProgress })

// A process that waits for nothing would end.
process.stdin.resume()

void Effect.runPromise(Effect.provide(program, Layer.merge(Identity.layer, NodeFolders.layer))).then(() =>
  process.exit()
)
