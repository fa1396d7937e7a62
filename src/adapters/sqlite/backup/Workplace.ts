/**
 * A folder for unfinished work, beside where the result is to go, so that a rename can put it in place. Only its engine
 * uses it, and it is removed with its scope. The next backup or restore in the same folder removes one that a killed
 * process left: its name holds its engine.
 */
import { Effect, Option } from "effect"
import type { Scope } from "effect"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as EngineInName from "../../../services/EngineInName.js"
import { Engines } from "../../../services/Engines.js"

/** `backup` and `restore` work in folders of these names. */
export type Purpose = "backup" | "restore"

/** Version 0.1.0 ended these names in `upload`. They are removed as well: the ending is not looked at. */
const isOf = (name: string, purpose: Purpose): boolean => name.startsWith(`.${purpose}.`)

/** Workplaces in `folder` whose engines are dead. */
export const abandoned = Effect.fnUntraced(function* (folder: string, purpose: Purpose) {
  const engines = yield* Engines
  const names = readdirSync(folder).filter((name) => isOf(name, purpose))
  return yield* Effect.filter(names, (name) =>
    Option.match(EngineInName.engineOf(name), {
      onNone: () => Effect.succeed(false),
      onSome: (engine) => Effect.map(engines.liveness(engine), (liveness) => liveness === "dead")
    })
  )
})

const remove = (path: string) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))

/** Makes a workplace in `folder`, which must exist. Dies when it cannot be made. */
export const make = (folder: string, purpose: Purpose): Effect.Effect<string, never, Scope.Scope | Engines> =>
  Effect.gen(function* () {
    const { self } = yield* Engines
    yield* Effect.forEach(yield* abandoned(folder, purpose), (name) => remove(join(folder, name)))
    const path = join(folder, EngineInName.name(purpose, self, "unfinished"))
    yield* Effect.acquireRelease(
      Effect.sync(() => mkdirSync(path, { mode: 0o700 })),
      () => remove(path)
    )
    return path
  })
