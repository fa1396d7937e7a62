/** Counts the objects that survive a garbage collection. */
import { Predicate } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")
const isThunk = (value: unknown): value is () => void => Predicate.isFunction(value)

/** How many of these objects still exist. */
export const alive = async (all: ReadonlyArray<WeakRef<object>>): Promise<number> => {
  // An object that was dereferenced in a turn of the event loop stays until the end of the turn.
  await new Promise((resolve) => setImmediate(resolve))
  if (!isThunk(collect)) throw new Error("there is no collector")
  collect()
  return all.filter((one) => one.deref() !== undefined).length
}
