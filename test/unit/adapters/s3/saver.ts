/**
 * A process with an engine whose assets are in a bucket: `saver <data folder> <endpoint> <MiB>…`. It saves an asset of
 * each size and reads it back, and prints for each how many bytes came back and the peak of the memory in buffers, in
 * MiB.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Stream } from "effect"
import { Agents, Gateway, Model, Permissions, Session } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"
import { bucketAt } from "../../../support/s3/TestBucket.js"

const [data = "", endpoint = "", ...sizes] = process.argv.slice(2)
const mebibyte = 1024 * 1024

const agent = Agents.layer({ models: Model.always(ScriptedModel.make([])), policy: Permissions.askToWrite })

const program = Effect.gen(function* () {
  const gateway = yield* Gateway.Gateway
  const { id } = yield* gateway.create({ id: Session.SessionId.make("s1") })
  let peak = 0
  let looks = 0
  // Garbage does not count, so it is collected before each measurement.
  const look = Effect.sync(() => {
    if (looks++ % 64 > 0) return
    globalThis.gc?.()
    peak = Math.max(peak, process.memoryUsage().arrayBuffers / mebibyte)
  })
  for (const size of sizes) {
    peak = 0
    const piece = new Uint8Array(64 * 1024).fill(7)
    const content = Stream.repeatValue(piece).pipe(
      Stream.take(Number(size) * 16),
      Stream.tap(() => look)
    )
    const asset = yield* gateway.saveAsset({ sessionId: id, mediaType: "application/octet-stream", content })
    const bytes = yield* gateway.openAsset({ sessionId: id, assetId: asset.id }).pipe(
      Stream.tap(() => look),
      Stream.runFold(0, (sum, bytes) => sum + bytes.length)
    )
    yield* Console.log(JSON.stringify({ bytes, peak: Math.ceil(peak) }))
  }
})

NodeRuntime.runMain(
  Effect.provide(program, Layer.provide(SkeinNode.layer({ data, assets: bucketAt(endpoint) }), agent))
)
