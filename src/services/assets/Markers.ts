/**
 * Whether the save or the import that a marker stands for is over. Where its engine is proven dead it is. Of an engine of
 * another host nothing is ever proven, so what has stood there for a day, by the store's own clock, is over too: a save
 * takes minutes, and one that comes back after all finds its marker gone and undoes itself.
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
