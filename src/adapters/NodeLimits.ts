/**
 * Takes Node's own limits from a request: its fetch gives up after five minutes without headers or bytes, and no option
 * says otherwise. The request still goes through the process's dispatcher, so proxies that were set for it stay in effect.
 */
import { Predicate } from "effect"

interface Dispatcher {
  readonly dispatch: (options: object, handler: unknown) => unknown
}

const isDispatcher = (value: unknown): value is Dispatcher =>
  Predicate.hasProperty(value, "dispatch") && Predicate.isFunction(value.dispatch)

/** Where Node's fetch, and every version of its package, looks for the process's dispatcher. */
const place = Symbol.for("undici.globalDispatcher.1")

/** A runtime without such a dispatcher gets the request as it is. */
export const lifted = (request: RequestInit): RequestInit => {
  // Node puts it there when it first loads its fetch.
  const current: unknown = Predicate.isFunction(globalThis.Request) && Reflect.get(globalThis, place)
  if (!isDispatcher(current)) return request
  const dispatcher: Dispatcher = {
    dispatch: (options, handler) => current.dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler)
  }
  return Object.assign({ ...request }, { dispatcher })
}
