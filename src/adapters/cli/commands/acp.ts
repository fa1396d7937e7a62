import * as AcpCommand from "../AcpCommand.js"
import type { ValuesOf } from "../CommandLine.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: ValuesOf<typeof Commands.acp>) =>
  AcpCommand.run({ model: given.value("model"), place: given })
