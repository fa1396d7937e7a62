import type { GivenTo } from "../CommandLine.js"
import * as Demo from "../Demo.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: GivenTo<typeof Commands.demo>) => Demo.run({ data: given.value("data") })
