import * as Backups from "../Backups.js"
import type { GivenTo } from "../CommandLine.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: GivenTo<typeof Commands.restore>) =>
  Backups.restore({ file: given.argument(0) ?? "", data: given.value("data") })
