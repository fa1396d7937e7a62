import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { serve } from "skein/testing"
import { open } from "./storage.js"

NodeRuntime.runMain(serve(open(process.argv[2] ?? ".")))
