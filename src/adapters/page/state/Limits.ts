/** The limits of what this server stores for this person, loaded when the page is opened; null until they are known. */
import * as Api from "../net/Api.js"
import type { Limits } from "../model/Wire.js"
import { Store } from "./Store.js"

export const limits = new Store<Limits | null>(null)

/** Without them, the server still refuses what is too large, after it was sent. */
export const load = (): void =>
  void Api.limits()
    .then((known) => limits.set(known))
    .catch(() => {})
