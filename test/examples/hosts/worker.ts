import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Context, Effect, Layer, type Queue } from "effect"
import { Gateway, Run, Session } from "skein"
import { SkeinLive } from "./host.js"

class Jobs extends Context.Tag("app/Jobs")<
  Jobs,
  Queue.Dequeue<{ readonly id: string; readonly sessionId: Session.Id; readonly text: string }>
>() {}

const WorkerLive = Layer.scopedDiscard(
  Effect.gen(function* () {
    const gateway = yield* Gateway.Gateway
    const jobs = yield* Jobs
    const work = Effect.fn("job")(function* () {
      const job = yield* jobs.take
      const run = yield* gateway.send({
        sessionId: job.sessionId,
        text: job.text,
        idempotencyKey: job.id,
        whenBusy: "queue"
      })
      const { stopReason } = yield* Run.await(run)
      yield* Effect.logInfo("job ended").pipe(Effect.annotateLogs({ job: job.id, stopReason }))
    })
    yield* work().pipe(
      Effect.catchAll((error) => Effect.logError(error)),
      Effect.forever,
      Effect.forkScoped
    )
  })
)

declare const JobsLive: Layer.Layer<Jobs>
NodeRuntime.runMain(Layer.launch(WorkerLive.pipe(Layer.provide([SkeinLive, JobsLive]))))
