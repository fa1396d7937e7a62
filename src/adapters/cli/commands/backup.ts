import * as Backups from "../Backups.js"
import type { ValuesOf } from "../CommandLine.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: ValuesOf<typeof Commands.backup>) =>
  Backups.backup({ path: given.argument(0) ?? "", keep: given.value("keep"), place: given })
