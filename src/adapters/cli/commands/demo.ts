import type { ValuesOf } from "../CommandLine.js"
import * as Demo from "../Demo.js"
import type * as Commands from "../texts/Commands.js"

export const run = (given: ValuesOf<typeof Commands.demo>) => Demo.run(given)
