import type { ValuesOf } from "../CommandLine.js"
import * as Doctor from "../Doctor.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: ValuesOf<typeof Commands.doctor>) =>
  Doctor.run({ repair: given.has("repair"), place: given })
