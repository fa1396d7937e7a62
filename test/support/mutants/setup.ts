/** Each mutant runs the properties that reach it; fewer examples per property keep the total affordable. */
import { FastCheck } from "effect"

FastCheck.configureGlobal({ numRuns: 30 })
