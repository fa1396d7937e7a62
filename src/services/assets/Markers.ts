/**
 * Whether the save or the import that a marker stands for is over. It is when its engine is proven dead. Nothing is
 * ever proven about an engine of another host, so a marker that is a day old, by the store's own clock, counts as over
 * too: a save takes minutes, and a save that comes back after all finds its marker gone and undoes itself.
 */
import { Effect, Option } from "effect"
import type * as Engines from "../Engines.js"
import * as EngineInName from "../EngineInName.js"
import type * as AssetFiles from "./AssetFiles.js"

const dayMillis = 24 * 60 * 60 * 1000

export const isOver = (
  files: AssetFiles.Service,
  engines: Engines.Service,
  upload: AssetFiles.Upload
): Effect.Effect<boolean, AssetFiles.FilesFailed> =>
  Option.match(EngineInName.engineOf(upload.marker), {
    // A marker of another version, which may know better.
    onNone: () => Effect.succeed(false),
    onSome: (engine) =>
      Effect.flatMap(engines.liveness(engine), (liveness) =>
        liveness === "unknown"
          ? Effect.map(files.age(upload), (millis) => millis >= dayMillis)
          : Effect.succeed(liveness === "dead")
      )
  })
