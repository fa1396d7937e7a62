/**
 * A folder for unfinished work, next to where the result will go, so that a rename can put it in place. Only its engine
 * uses it, and it is removed with its scope. The next backup or restore in the same folder removes a workplace that a
 * killed process left: its name contains its engine.
 */
import { Effect, Option } from "effect"
import type { Scope } from "effect"
import { mkdirSync, readdirSync } from "node:fs"
import { rename, rm } from "node:fs/promises"
import { join } from "node:path"
import * as EngineInName from "../../../services/EngineInName.js"
import { Engines } from "../../../services/Engines.js"
import { attempt, attemptAsync } from "./BackupFile.js"

/** `backup` and `restore` work in folders of these names. */
export type Purpose = "backup" | "restore"

/** Version 0.1.0 ended these names in `upload`. Those folders are removed as well: the ending is not checked. */
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

const unfinished = "unfinished"

/** Whether a workplace is as its work left it. A workplace that was being removed is not, and has another name. */
export const isUntouched = (path: string): boolean => path.endsWith(`.${unfinished}`)

const remove = (path: string) =>
  attemptAsync(async () => {
    const renamed = isUntouched(path) ? `${path.slice(0, -unfinished.length)}removed` : path
    if (renamed !== path) await rename(path, renamed)
    await rm(renamed, { recursive: true, force: true })
  })

/**
 * Makes a workplace in `folder`, which must exist. `onAbandoned` is called with each workplace that a killed process
 * left, before that is removed. Fails with the system's error.
 */
export const make = (
  folder: string,
  purpose: Purpose,
  onAbandoned: (path: string) => void = () => undefined
): Effect.Effect<string, unknown, Scope.Scope | Engines> =>
  Effect.gen(function* () {
    const { self } = yield* Engines
    for (const name of yield* Effect.catchAllDefect(abandoned(folder, purpose), Effect.fail)) {
      const path = join(folder, name)
      yield* attempt(() => onAbandoned(path))
      yield* remove(path)
    }
    const path = join(folder, EngineInName.name(purpose, self, unfinished))
    yield* Effect.acquireRelease(
      attempt(() => mkdirSync(path, { mode: 0o700 })),
      () => Effect.ignore(remove(path))
    )
    return path
  })
