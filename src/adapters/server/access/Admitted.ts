/** The token of a request that the guard has let in; null for others, and for what is open to everybody. */
import { Context } from "effect"
import type { Token } from "./TokenFolder.js"

export class Admitted extends Context.Reference<Admitted>()("skein/server/Admitted", {
  defaultValue: (): Token | null => null
}) {}
