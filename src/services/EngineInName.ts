/**
 * Names of files and folders that belong to an engine's work in progress: `.<token>.<engine>.<ending>`. The name alone
 * identifies the engine, so any other engine can find out whether the work may still be going on. The names are safe on
 * every file system and stay below 255 bytes.
 */
import { Either, Option, Schema } from "effect"
import type { EngineId } from "../domain/Lease.js"

const Encoded = Schema.compose(
  Schema.StringFromBase64Url,
  Schema.parseJson(
    Schema.Tuple(
      Schema.String,
      Schema.String,
      Schema.Int,
      Schema.String,
      Schema.String,
      Schema.optionalElement(Schema.String)
    )
  )
)

/** `token` and `ending` must not contain a dot. */
export const name = (token: string, engine: EngineId, ending: string): string => {
  const { bootId, host, instance, pid, pidNamespace, startTime } = engine
  const process = [bootId, pidNamespace, pid, startTime, instance] as const
  const encoded = Schema.encodeSync(Encoded)(host === null ? process : [...process, host])
  return `.${token}.${encoded}.${ending}`
}

/** The engine in a name, whatever its token and ending; none when the name holds no engine. */
export const engineOf = (name: string): Option.Option<EngineId> =>
  Schema.decodeEither(Encoded)(/^\.[^.]+\.([^.]+)\.[^.]+$/.exec(name)?.[1] ?? "").pipe(
    Either.map(([bootId, pidNamespace, pid, startTime, instance, host = null]): EngineId => ({
      bootId,
      pidNamespace,
      pid,
      startTime,
      instance,
      host
    })),
    Either.getRight
  )
