/** The agents and models that the server offers, loaded when the page is opened and whenever somebody chooses. */
import * as Api from "../net/Api.js"
import type { OfferedAgent } from "../model/Wire.js"
import { Store } from "./Store.js"

export const offers = new Store<ReadonlyArray<OfferedAgent>>([])

/** When they cannot be loaded, the known ones stay, and names can be typed. */
export const load = (): void =>
  void Api.agents()
    .then((agents) => offers.set(agents))
    .catch(() => {})
