/**
 * A folder for what is not finished, in the folder where it is to go, so that it can be put in place by a rename. It is
 * for its engine only and goes with its scope. One that a killed process left is removed by the next that works there;
 * its name tells whose it is.
 */
import { Effect, Option } from "effect"
import type { Scope } from "effect"
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import * as AssetNames from "../../../services/assets/AssetNames.js"
import { Engines } from "../../../services/Engines.js"

/** `backup` and `restore` work in folders of these names. */
export type Purpose = "backup" | "restore"

const isOf = (name: string, purpose: Purpose): boolean => name.startsWith(`.${purpose}.`) && AssetNames.isMarker(name)

/** Workplaces in `folder` whose engines are dead. */
export const abandoned = Effect.fnUntraced(function* (folder: string, purpose: Purpose) {
  const engines = yield* Engines
  const names = readdirSync(folder).filter((name) => isOf(name, purpose))
  return yield* Effect.filter(names, (name) =>
    Option.match(AssetNames.engineOf(name), {
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
    const path = join(folder, AssetNames.marker(purpose, self))
    yield* Effect.acquireRelease(
      Effect.sync(() => mkdirSync(path, { mode: 0o700 })),
      () => remove(path)
    )
    return path
  })
