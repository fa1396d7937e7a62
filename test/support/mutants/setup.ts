/** Each mutant runs the properties that reach it: fewer examples of each keep the whole affordable. */
import { FastCheck } from "effect"

FastCheck.configureGlobal({ numRuns: 30 })
