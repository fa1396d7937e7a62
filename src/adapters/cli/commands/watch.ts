import type { ValuesOf } from "../CommandLine.js"
import type * as Commands from "../texts/Commands.js"
import * as WatchCommand from "../WatchCommand.js"

export const run = (given: ValuesOf<typeof Commands.watch>) =>
  WatchCommand.run({ named: given.argument(0) ?? "", json: given.has("json"), place: given })
