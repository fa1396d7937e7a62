/** Processes that do not share a monotonic clock, like containers with time namespaces of their own. */
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import { RunId } from "../../../src/domain/Run.js"
import { SessionId } from "../../../src/domain/Session.js"
import { folder } from "../../unit/services/storage/disk.js"
import { elsewhen, withOtherTime } from "../faults/Machine.js"
import * as Child from "./Child.js"

const hanging = SessionId.make("hanging")

withOtherTime("P9 many processes: a monotonic clock that began at another time takes no run from a living engine", () =>
  Effect.gen(function* () {
    const data = yield* folder
    const leaseMillis = 3_000
    const one = yield* Child.open(data, { leaseMillis })
    const other = yield* Child.open(data, { leaseMillis, wrapper: elsewhen })
    yield* one.get({ do: "create", session: hanging })
    const run = RunId.make(String(yield* one.get({ do: "send", session: hanging, text: "go", key: "k1" })))
    expect(yield* other.refused({ do: "send", session: hanging, text: "mine", key: "k2" })).toMatchObject({
      _tag: "SessionBusy",
      runId: run
    })
    yield* other.get({ do: "cancel", run })
    expect(yield* one.get({ do: "await", session: hanging, run })).toBe("cancelled")
  })
)
