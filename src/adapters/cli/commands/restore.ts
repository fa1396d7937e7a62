import * as Backups from "../Backups.js"
import type { ValuesOf } from "../CommandLine.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: ValuesOf<typeof Commands.restore>) =>
  Backups.restore({ path: given.argument(0) ?? "", isSalvage: given.has("damaged"), place: given })
