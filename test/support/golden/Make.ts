/** Makes the golden data folder of this version: what a killed process leaves, and what the program shows of it. */
import { Effect, Schema } from "effect"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../unit/services/storage/disk.js"
import { bundle } from "../programs/Bundle.js"
import { start } from "../programs/Process.js"
import * as Golden from "./Golden.js"

/** Both are also found from bundles, because these lie at the same depth. */
const child = new URL("../../../test/support/golden/child.ts", import.meta.url)
const skein = fileURLToPath(new URL("../../../dist/skein.mjs", import.meta.url))

/** The golden folder was not made. */
class NotMade extends Schema.TaggedError<NotMade>()("NotMade", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.scoped(
    Effect.flatMap(
      start(process.execPath, args, { env: { PATH: process.env["PATH"] ?? "", ...env } }),
      (child) => child.ended
    )
  )

const readme = (
  version: string
): string => `A data folder as version ${version} left it when it was killed with SIGKILL.

- \`held\` has a started call and two queued runs, \`drafting\` a step that was being written, \`asking\` an open question,
  \`released\` a run that its engine left when it was closed. \`leaving\` was being deleted.
- The \`*.jsonl\` files are what that version showed of it: \`skein sessions list --json\` and \`skein sessions show ID --json\`.

Every later version opens a copy of it and shows the same.
`

const ids = Schema.decodeUnknownSync(Schema.parseJson(Schema.Struct({ id: Schema.String })))

/** Makes only the data folder: what a process leaves that is killed in the middle of its work. */
export const leave = (data: string) =>
  Effect.gen(function* () {
    const { code, signal, stderr } = yield* run([yield* bundle(child, { whole: true }), data, "/golden"])
    if (signal !== "SIGKILL")
      return yield* new NotMade({ detail: `the process ended with ${code ?? signal}: ${stderr}` })
    // An index of the log, which the next open rebuilds.
    rmSync(join(data, "skein.db-shm"), { force: true })
  })

/** Needs the bundled program. The folder must not exist. */
export const make = (golden: string, version: string) =>
  Effect.gen(function* () {
    const data = join(golden, "data")
    yield* Effect.try({
      try: () => mkdirSync(golden),
      catch: () => new NotMade({ detail: `${golden} is there already, or cannot be made` })
    })
    yield* leave(data)
    const copy = Golden.copy(data, join(yield* folder, "data"))
    const shown = (...args: ReadonlyArray<string>) =>
      run([skein, "sessions", ...args, "--json"], { HOME: copy, SKEIN_DATA: copy }).pipe(
        Effect.filterOrFail(
          ({ code }) => code === 0,
          ({ stderr }) => new NotMade({ detail: stderr })
        ),
        Effect.map(({ stdout }) => stdout)
      )
    const sessions = yield* shown("list")
    writeFileSync(join(golden, "sessions.jsonl"), sessions)
    for (const line of sessions.split("\n").filter((line) => line !== "")) {
      const { id } = ids(line)
      writeFileSync(join(golden, `${id}.jsonl`), yield* shown("show", id))
    }
    writeFileSync(join(golden, "README.md"), readme(version))
  }).pipe(Effect.scoped)
