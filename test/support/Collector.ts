/** What is still there once all that nobody holds was collected. */
import { Predicate } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")
const isThunk = (value: unknown): value is () => void => Predicate.isFunction(value)

/** How many of some objects are still there. */
export const alive = async (all: ReadonlyArray<WeakRef<object>>): Promise<number> => {
  // What was looked at in a turn of the event loop stays until its end.
  await new Promise((resolve) => setImmediate(resolve))
  if (!isThunk(collect)) throw new Error("there is no collector")
  collect()
  return all.filter((one) => one.deref() !== undefined).length
}
